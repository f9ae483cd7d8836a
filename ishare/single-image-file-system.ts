import { toNid, type Nid } from '../erofs/brands';
import type { ErofsImage, Inode } from '../erofs/image';
import { inodeNumber } from '../erofs/inode-number';
import {
  nodeId,
  ROOT_NODE,
  type Attributes,
  type DirectorySink,
  type Entry,
  type FileHandle,
  type FileSystem,
  type FileSystemStatistics,
  type MaybePromise,
  type NodeId,
} from '../fuse/file-system';
import { ImageTree } from './image-tree';

/** Node ids are nids moved up by this: FUSE gives 1 to the root and 0 to nothing. */
const FIRST_NODE = 2;
/** What Linux's EROFS gives as the number of inodes that a mount could have (fs/erofs/super.c, erofs_statfs()). */
const ALL_INODES = 2n ** 64n - 1n;

/**
 * One image at the root of a mount, shown as the kernel's own EROFS mount shows it: the same inode numbers, extended
 * attributes without exception, statistics. Nothing ever changes, so there is no `open`: the kernel opens files by
 * itself and keeps all it has read.
 */
export class SingleImageFileSystem implements FileSystem {
  readonly #image: ErofsImage;
  readonly #tree: ImageTree;

  /** The image stays owned by the caller. */
  constructor(image: ErofsImage) {
    this.#image = image;
    this.#tree = new ImageTree(image, {
      generation: 0,
      node: (nid) => nodeId(nid + FIRST_NODE),
      inodeNumber: (nid) => inodeNumber(image.superblock, nid),
    });
  }

  async lookup(parent: NodeId, name: Buffer): Promise<Entry | undefined> {
    return this.#tree.lookup(await this.#inode(parent), name);
  }

  async attributes(node: NodeId): Promise<Attributes> {
    return this.#tree.attributes(await this.#inode(node));
  }

  async readlink(node: NodeId): Promise<Buffer> {
    return this.#image.readlink(await this.#inode(node));
  }

  async read(node: NodeId, _handle: FileHandle, offset: number, length: number): Promise<Buffer> {
    return this.#image.read(await this.#inode(node), offset, length);
  }

  async readDirectory(node: NodeId, cookie: number, sink: DirectorySink): Promise<void> {
    await this.#tree.readDirectory(await this.#inode(node), cookie, sink);
  }

  async getXattr(node: NodeId, name: Buffer): Promise<Buffer | undefined> {
    return this.#image.getXattr(await this.#inode(node), name);
  }

  async listXattrs(node: NodeId): Promise<readonly Buffer[]> {
    const xattrs = await this.#image.xattrs(await this.#inode(node));
    return xattrs.map(({ name }) => name);
  }

  statistics(): FileSystemStatistics {
    const { blockSize, inodes } = this.#image.superblock;
    return {
      blocks: this.#image.totalBlocks,
      blockSize,
      files: ALL_INODES,
      freeFiles: ALL_INODES - BigInt(inodes),
    };
  }

  async seek(node: NodeId, offset: number, whence: number): Promise<number> {
    return this.#tree.seek(await this.#inode(node), offset, whence);
  }

  #inode(node: NodeId): MaybePromise<Inode> {
    const nid = this.#nidOf(node);
    return this.#image.peekInode(nid) ?? this.#image.inode(nid);
  }

  #nidOf(node: NodeId): Nid {
    return node === ROOT_NODE ? this.#image.rootNid : toNid(node - FIRST_NODE);
  }
}
