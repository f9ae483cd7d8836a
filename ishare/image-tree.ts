import type { Nid } from '../erofs/brands';
import { ErofsError } from '../erofs/errors';
import { INCOMPAT } from '../erofs/format/feature';
import { DATA_LAYOUT } from '../erofs/format/inode';
import type { ErofsImage, Inode, Superblock } from '../erofs/image';
import { settle, waitFor, type Steps } from '../erofs/steps';
import { FuseError } from '../fuse/errors';
import type { Attributes, DirectorySink, Entry, MaybePromise, NodeId } from '../fuse/file-system';
import { SEEK_HOLE } from '../fuse/protocol/flags';

/** Entries decoded at a time for one READDIR reply. */
const DIRECTORY_BATCH = 128;
/** st_blocks counts in these (bytes). */
const SECTOR = 512;
/** Longest name that EROFS holds (EROFS_NAME_LEN); FUSE itself would let longer ones through. */
const NAME_MAX = 255;
/** DT_UNKNOWN of readdir(3). */
const UNKNOWN_TYPE = 0;

const DOT = Buffer.from('.');
const DOT_DOT = Buffer.from('..');

/** The numbers by which one mount knows the inodes of an image. */
export interface ImageNumbers {
  /** Tells images apart that bear the same node ids one after the other. */
  readonly generation: number;
  /** Throws FuseError where the mount has no node id for the inode. */
  node(nid: Nid): NodeId;
  /** st_ino. */
  inodeNumber(nid: Nid): number;
}

/** The tree of one image in the terms of FUSE. */
export class ImageTree {
  constructor(
    readonly image: ErofsImage,
    private readonly numbers: ImageNumbers,
  ) {}

  /** What a name in a directory leads to. */
  async lookup(directory: Inode, name: Buffer): Promise<Entry | undefined> {
    if (name.length > NAME_MAX) throw new FuseError('ENAMETOOLONG');
    const found = await this.image.lookup(directory, name);
    return found && this.entry(await this.image.inode(found.nid));
  }

  entry(inode: Inode): Entry {
    return {
      node: this.numbers.node(inode.nid),
      generation: this.numbers.generation,
      attributes: this.attributes(inode),
    };
  }

  /** The same that stat(2) shows in the kernel's own mount, but for what `numbers` decides. */
  attributes(inode: Inode): Attributes {
    const { blockSize } = this.image.superblock;
    return {
      ino: this.numbers.inodeNumber(inode.nid),
      size: inode.size,
      mode: inode.mode,
      nlink: inode.nlink,
      uid: inode.uid,
      gid: inode.gid,
      rdev: inode.rdev,
      time: inode.mtime,
      sectors: (blocksOf(inode, blockSize) * blockSize) / SECTOR,
      blockSize,
    };
  }

  /** Gives the entries from `cookie` (0: the first) to the sink until it is full or the directory ends. */
  readDirectory(directory: Inode, cookie: number, sink: DirectorySink): MaybePromise<void> {
    return settle(this.#readDirectory(directory, cookie, sink));
  }

  *#readDirectory(directory: Inode, cookie: number, sink: DirectorySink): Steps<void> {
    for (let from = cookie; ;) {
      const batch = yield* waitFor(this.image.entries(directory, from, DIRECTORY_BATCH));
      for (const { name, nid, nextCookie } of batch) {
        const inode = yield* this.#inodeIfReadable(nid);
        const type = inode === undefined ? UNKNOWN_TYPE : inode.mode >>> 12;
        const item = { name, ino: this.numbers.inodeNumber(nid), type, nextCookie };
        const bare = inode === undefined || name.equals(DOT) || name.equals(DOT_DOT);
        if (!sink.add(bare ? item : { ...item, entry: this.entry(inode) })) return;
        from = nextCookie;
      }
      if (batch.length < DIRECTORY_BATCH) return;
    }
  }

  /**
   * SEEK_DATA and SEEK_HOLE of lseek(2), as Linux answers them for EROFS: the end of a file counts as a hole. ENXIO at and
   * behind it, and for data where only holes follow.
   */
  async seek(inode: Inode, offset: number, whence: number): Promise<number> {
    if (offset >= inode.size) throw new FuseError('ENXIO');
    const wanted = whence === SEEK_HOLE;
    for await (const { hole, start, length } of this.#runs(inode)) {
      if (hole === wanted && start + length > offset) return Math.max(start, offset);
    }
    if (wanted) return inode.size;
    throw new FuseError('ENXIO');
  }

  async *#runs(inode: Inode): AsyncGenerator<{ hole: boolean; start: number; length: number }> {
    if (!mayHaveHoles(inode, this.image.superblock)) {
      yield { hole: false, start: 0, length: inode.size };
      return;
    }
    for await (const { kind, start, length } of this.image.extents(inode)) {
      yield { hole: kind === 'hole', start, length };
    }
  }

  /** A damaged inode does not hide its neighbours: it is listed by name, and whoever looks it up is told. */
  *#inodeIfReadable(nid: Nid): Steps<Inode | undefined> {
    try {
      return this.image.peekInode(nid) ?? (yield* waitFor(this.image.inode(nid)));
    } catch (error) {
      if (error instanceof ErofsError) return undefined;
      throw error;
    }
  }
}

/** Compressed indexes have no word for a hole, encoded extents do: the others need not be gone through. */
function mayHaveHoles(inode: Inode, { featureIncompat }: Superblock): boolean {
  const compressed =
    inode.layout === DATA_LAYOUT.COMPRESSED_FULL || inode.layout === DATA_LAYOUT.COMPRESSED_COMPACT;
  return !compressed || (featureIncompat & INCOMPAT['48BIT']) !== 0;
}

/** Blocks as Linux counts them: those that hold compressed data, else all that the size asks for, holes included. */
function blocksOf(inode: Inode, blockSize: number): number {
  switch (inode.layout) {
    case DATA_LAYOUT.COMPRESSED_FULL:
    case DATA_LAYOUT.COMPRESSED_COMPACT:
      return inode.compressedBlocks;
    case DATA_LAYOUT.FLAT_PLAIN:
    case DATA_LAYOUT.FLAT_INLINE:
    case DATA_LAYOUT.CHUNK_BASED:
      return Math.ceil(inode.size / blockSize);
  }
}
