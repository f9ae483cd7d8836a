import { isNid, type Nid } from '../erofs/brands';
import type { ErofsImage, Inode } from '../erofs/image';
import { inodeNumber } from '../erofs/inode-number';
import { FuseError } from '../fuse/errors';
import {
  nodeId,
  ROOT_NODE,
  type Allocate,
  type Attributes,
  type DirectorySink,
  type Entry,
  type FileHandle,
  type FileSystem,
  type FileSystemStatistics,
  type MaybePromise,
  type NodeId,
} from '../fuse/file-system';
import { FileOrder } from './file-order';
import { ImageTree } from './image-tree';
import { ANTICIPATED_BYTES, ReadAnticipation } from './read-anticipation';

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
  readonly #order = new FileOrder();
  readonly #anticipation: ReadAnticipation;

  /** The image stays owned by the caller. */
  constructor(image: ErofsImage) {
    this.#image = image;
    this.#tree = new ImageTree(image, {
      generation: 0,
      node: (nid) => nodeId(nid + FIRST_NODE),
      inodeNumber: (nid) => inodeNumber(image.superblock, nid),
    });
    this.#anticipation = new ReadAnticipation(this.#order, (node, memory) => this.#readStart(node, memory));
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

  read(
    node: NodeId,
    _handle: FileHandle,
    offset: number,
    length: number,
    _uncached: boolean,
    allocate: Allocate,
  ): MaybePromise<Buffer> {
    const start = this.#anticipation.startOf(node);
    if (start === undefined) return this.#read(node, offset, length, allocate);
    if (!(start instanceof Promise)) {
      return this.#cut(start, offset, length) ?? this.#read(node, offset, length, allocate);
    }
    return start.then(
      (bytes) => (bytes && this.#cut(bytes, offset, length)) ?? this.#read(node, offset, length, allocate),
    );
  }

  /** A range of a file of whose start `bytes` are there; undefined where it is not among them. */
  #cut(bytes: Buffer, offset: number, length: number): Buffer | undefined {
    const whole = bytes.length < ANTICIPATED_BYTES;
    if (!whole && offset + length > bytes.length) return undefined;
    return bytes.subarray(offset, offset + length);
  }

  #read(node: NodeId, offset: number, length: number, allocate: Allocate): MaybePromise<Buffer> {
    const inode = this.#inode(node);
    if (inode instanceof Promise) {
      return inode.then((decoded) => this.#image.bytes(decoded, offset, length, allocate));
    }
    return this.#image.bytes(inode, offset, length, allocate);
  }

  #readStart(node: NodeId, memory: Buffer): MaybePromise<Buffer> {
    return this.#read(node, 0, ANTICIPATED_BYTES, (length) => memory.subarray(0, length));
  }

  idle(): void {
    this.#anticipation.prepare();
  }

  readDirectory(node: NodeId, cookie: number, sink: DirectorySink): MaybePromise<void> {
    const watched = this.#order.watch(sink);
    const directory = this.#inode(node);
    return directory instanceof Promise
      ? directory.then((decoded) => this.#tree.readDirectory(decoded, cookie, watched))
      : this.#tree.readDirectory(directory, cookie, watched);
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
    if (node === ROOT_NODE) return this.#image.rootNid;
    const nid = node - FIRST_NODE;
    if (!isNid(nid)) throw new FuseError('ESTALE');
    return nid;
  }
}
