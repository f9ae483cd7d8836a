import type { ErofsImage, Inode } from '../../erofs/image';
import { marksOpaque, nodeType, OPAQUE_XATTR, type LayerNode, type NodeType } from './layer-node';

const OPAQUE = Buffer.from(OPAQUE_XATTR);

/** An inode of an EROFS image as a part of an overlay. */
export class ImageNode implements LayerNode {
  constructor(
    readonly image: ErofsImage,
    readonly inode: Inode,
  ) {}

  static async root(image: ErofsImage): Promise<ImageNode> {
    return new ImageNode(image, await image.inode(image.rootNid));
  }

  get type(): NodeType {
    return nodeType(this.inode.mode, this.inode.rdev);
  }

  get size(): number {
    return this.inode.size;
  }

  async lookup(name: Buffer): Promise<ImageNode | undefined> {
    const found = await this.image.lookup(this.inode, name);
    return found && new ImageNode(this.image, await this.image.inode(found.nid));
  }

  async opaque(): Promise<boolean> {
    return marksOpaque(await this.image.getXattr(this.inode, OPAQUE));
  }

  readlink(): Promise<Buffer> {
    return this.image.readlink(this.inode);
  }
}
