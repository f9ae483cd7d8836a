import { ErofsCorruptError } from '../erofs/errors';
import type { ErofsImage, Inode } from '../erofs/image';
import { isRegularFile } from '../erofs/inode';
import { FuseError } from '../fuse/errors';
import type { Attachment } from './attachment';
import { ImageTree } from './image-tree';
import type { MergedLayers } from './layer-server';
import { MissingXattrs } from './missing-xattrs';
import { numbersIn, type FileContent, type ServedImage } from './served-image';

/**
 * The merged metadata of a chain of layers, in one domain (or in none). Its files have the contents of the layers' images:
 * with the dedup inodes, the claims and the digests of those, so that whatever is learned of a layer holds here too.
 * The layers stay open as long as it does.
 */
export class MergedAttachment implements ServedImage {
  readonly id: number;
  readonly tree: ImageTree;
  readonly missingXattrs = new MissingXattrs(this);
  #detached = false;
  #closed = false;
  #holders = 0;

  constructor(
    readonly layer: MergedLayers,
    /** Owned: closed with the attachment. This program has made it itself: it says where contents are. */
    readonly image: ErofsImage,
    /** Topmost first. */
    private readonly sources: readonly Attachment[],
  ) {
    this.id = layer.attachmentId;
    this.tree = new ImageTree(image, numbersIn(layer));
    for (const source of sources) source.hold();
  }

  get detached(): boolean {
    return this.#detached;
  }

  async content(inode: Inode): Promise<FileContent> {
    if (!isRegularFile(inode)) throw new FuseError('EINVAL');
    const source = await this.image.source(inode);
    const attachment = source && this.sources[source.layer];
    if (source === undefined || attachment === undefined)
      throw this.#corrupt(inode, 'does not say where its content is');
    const found = await attachment.image.inode(source.nid);
    if (!isRegularFile(found) || found.size !== inode.size) {
      throw this.#corrupt(
        inode,
        `leads to inode ${source.nid} of ${attachment.layer.label}, which is no file of ${inode.size} bytes`,
      );
    }
    return { attachment, inode: found };
  }

  hold(): void {
    this.#holders += 1;
  }

  async letGo(): Promise<void> {
    this.#holders -= 1;
    await this.#closeIfDone();
  }

  /** Files that are open keep the image open, and those of its layers. */
  async detach(): Promise<void> {
    this.#detached = true;
    await this.#closeIfDone();
  }

  async #closeIfDone(): Promise<void> {
    if (!this.#detached || this.#holders > 0 || this.#closed) return;
    this.#closed = true;
    await this.image[Symbol.asyncDispose]();
    for (const source of this.sources) await source.letGo();
  }

  #corrupt({ nid }: Inode, problem: string): ErofsCorruptError {
    return new ErofsCorruptError({ image: this.image.label, nid, field: 'source' }, problem);
  }
}
