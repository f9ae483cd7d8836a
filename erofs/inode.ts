import type { BlockAddress, ByteOffset, Nid } from './brands';
import { ErofsCorruptError, ErofsUnsupportedError } from './errors';
import {
  FILE_TYPE,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  fileTypeOfMode,
} from './format/dirent';
import {
  DATA_LAYOUT,
  INODE_FORMAT,
  NO_BLOCK_HIGH,
  NO_BLOCK_LOW,
  compactInodeRecord,
  extendedInodeRecord,
  type DataLayout,
} from './format/inode';
import { errorSite, type Site } from './format/record';
import { xattrBodyRecord } from './format/xattr';
import type { Superblock } from './superblock';

/** A point in time since 1970; the seconds may be negative, the nanoseconds may not. */
export interface InodeTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What an inode on disk says, decoded once. Never changes. */
export interface Inode {
  readonly nid: Nid;
  /** st_mode: type and permissions. */
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: InodeTime;
  readonly nlink: number;
  /** Device number in Linux's 32-bit coding (`decodeDevice`); 0 unless this is a device. */
  readonly rdev: number;
  /** Serial number, which mkfs gives out from 1; not unique by force. */
  readonly ino: number;
  readonly layout: DataLayout;
  /** First block of flat data, or undefined where there is none: the file is a hole, or wholly inline. */
  readonly startBlock: BlockAddress | undefined;
  /** Compressed layouts: blocks that the data takes. */
  readonly compressedBlocks: number;
  /** Chunk-based layout: bits of CHUNK_FORMAT. */
  readonly chunkFormat: number;
  /** A directory without an entry ".". */
  readonly dotOmitted: boolean;
  /** Where the xattr body is; it follows the inode. */
  readonly xattrOffset: ByteOffset;
  /** Bytes of the xattr body, 0 for none. */
  readonly xattrSize: number;
}

export function isDirectory(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFDIR;
}

export function isRegularFile(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFREG;
}

export function isSymlink(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFLNK;
}

/** Where data after the inode and its xattrs begins: inline tails, and tables once rounded up. */
export function inodeEnd(inode: Inode): ByteOffset {
  return (inode.xattrOffset + inode.xattrSize) as ByteOffset;
}

/** Bytes that `decodeInode` may need; a compact inode at the very end of an image has less behind it. */
export const INODE_PROBE = extendedInodeRecord.size;

/** Decodes the inode at the start of `buffer`, whose first byte is at `site.origin`. */
export function decodeInode(buffer: Buffer, superblock: Superblock, nid: Nid, site: Site): Inode {
  const { format } = compactInodeRecord.read(buffer, 0, site);
  if ((format & ~INODE_FORMAT.KNOWN) !== 0) {
    throw new ErofsUnsupportedError(
      errorSite(site, 0, 'inode.format'),
      `0x${format.toString(16)} has unknown bits`,
    );
  }
  const layout = (format >>> INODE_FORMAT.LAYOUT_SHIFT) & INODE_FORMAT.LAYOUT_MASK;
  if (!isDataLayout(layout))
    throw new ErofsUnsupportedError(errorSite(site, 0, 'inode.format'), `data layout ${layout}`);
  return (format & INODE_FORMAT.EXTENDED) !== 0
    ? decodeExtended(buffer, nid, layout, site)
    : decodeCompact(buffer, superblock, nid, layout, site);
}

function decodeCompact(
  buffer: Buffer,
  superblock: Superblock,
  nid: Nid,
  layout: DataLayout,
  site: Site,
): Inode {
  const raw = compactInodeRecord.read(buffer, 0, site);
  const { mode, format } = raw;
  const directory = (mode & S_IFMT) === S_IFDIR;
  const flag = (format & INODE_FORMAT.NLINK_1) !== 0;
  // The flag means something else on directories, which therefore always keep their link count in `nb`.
  const nlink1 = flag && !directory;
  return {
    nid,
    mode,
    size: raw.size,
    uid: raw.uid,
    gid: raw.gid,
    mtime: { seconds: superblock.epoch + raw.mtime, nanoseconds: superblock.fixedNanoseconds },
    nlink: nlink1 ? 1 : raw.nlink,
    rdev: rdevOf(mode, raw.rdev),
    ino: raw.ino,
    layout,
    startBlock: startBlockOf(layout, raw.startBlockLow, nlink1 ? raw.startBlockHigh : undefined),
    compressedBlocks: raw.blocksLow + (nlink1 ? raw.blocksHigh * 2 ** 32 : 0),
    chunkFormat: raw.chunkFormat,
    dotOmitted: flag && directory,
    ...xattrBody(raw.xattrCount, compactInodeRecord.size, mode, site),
  };
}

function decodeExtended(buffer: Buffer, nid: Nid, layout: DataLayout, site: Site): Inode {
  const raw = extendedInodeRecord.read(buffer, 0, site);
  const { mode } = raw;
  return {
    nid,
    mode,
    size: raw.size,
    uid: raw.uid,
    gid: raw.gid,
    mtime: { seconds: raw.mtime, nanoseconds: raw.mtimeNanoseconds },
    nlink: raw.nlink,
    rdev: rdevOf(mode, raw.rdev),
    ino: raw.ino,
    layout,
    startBlock: startBlockOf(layout, raw.startBlockLow, raw.startBlockHigh),
    compressedBlocks: raw.blocksLow + raw.blocksHigh * 2 ** 32,
    chunkFormat: raw.chunkFormat,
    dotOmitted: (raw.format & INODE_FORMAT.DOT_OMITTED) !== 0 && (mode & S_IFMT) === S_IFDIR,
    ...xattrBody(raw.xattrCount, extendedInodeRecord.size, mode, site),
  };
}

function xattrBody(
  count: number,
  headSize: number,
  mode: number,
  site: Site,
): { xattrOffset: ByteOffset; xattrSize: number } {
  if (fileTypeOfMode(mode) === FILE_TYPE.UNKNOWN) {
    throw new ErofsCorruptError(errorSite(site, 0, 'inode.mode'), `0${mode.toString(8)} names no file type`);
  }
  return {
    xattrOffset: (site.origin + headSize) as ByteOffset,
    xattrSize: count === 0 ? 0 : xattrBodyRecord.size + 4 * (count - 1),
  };
}

function startBlockOf(layout: DataLayout, low: number, high: number | undefined): BlockAddress | undefined {
  if (layout !== DATA_LAYOUT.FLAT_PLAIN && layout !== DATA_LAYOUT.FLAT_INLINE) return undefined;
  if (low === NO_BLOCK_LOW && (high === undefined || high === NO_BLOCK_HIGH)) return undefined;
  return (low + (high ?? 0) * 2 ** 32) as BlockAddress;
}

function rdevOf(mode: number, rdev: number): number {
  const type = mode & S_IFMT;
  return type === S_IFCHR || type === S_IFBLK ? rdev : 0;
}

function isDataLayout(value: number): value is DataLayout {
  return value <= DATA_LAYOUT.CHUNK_BASED;
}
