import { bytes, defineRecord, s64, u16, u32, u64, union } from './record';

/** nids count in this unit, and inodes start on it (bytes). */
export const INODE_SLOT = 32;

/** Bits of `format` (i_format). All others must be 0. */
export const INODE_FORMAT = {
  /** Clear: compact, set: extended. */
  EXTENDED: 0x1,
  LAYOUT_SHIFT: 1,
  LAYOUT_MASK: 0x7,
  /** On compact inodes that are no directory: nlink is 1 and `nb` is the high part of `data`. */
  NLINK_1: 0x10,
  /** On directories (the same bit): there is no entry ".". */
  DOT_OMITTED: 0x10,
  KNOWN: 0x1f,
} as const;

/** Where the data of an inode is (bits 1-3 of `format`). */
export const DATA_LAYOUT = {
  FLAT_PLAIN: 0,
  COMPRESSED_FULL: 1,
  FLAT_INLINE: 2,
  COMPRESSED_COMPACT: 3,
  CHUNK_BASED: 4,
} as const;

export type DataLayout = (typeof DATA_LAYOUT)[keyof typeof DATA_LAYOUT];

export const DATA_LAYOUT_NAMES: Readonly<Record<DataLayout, string>> = {
  [DATA_LAYOUT.FLAT_PLAIN]: 'flat plain',
  [DATA_LAYOUT.COMPRESSED_FULL]: 'compressed, full indexes',
  [DATA_LAYOUT.FLAT_INLINE]: 'flat inline',
  [DATA_LAYOUT.COMPRESSED_COMPACT]: 'compressed, compact indexes',
  [DATA_LAYOUT.CHUNK_BASED]: 'chunk-based',
};

/** Low 32 bits of a start block that mean: no block at all. The high 16 bits, where they count, are ones too. */
export const NO_BLOCK_LOW = 0xffff_ffff;
export const NO_BLOCK_HIGH = 0xffff;

/** Upper halves that both inode forms keep in `nb` (i_nb). */
const highHalf = {
  /** Link count of compact inodes without NLINK_1. */
  nlink: u16(6),
  /** Bits 32-47 of `startBlock` (extended inodes, and compact ones with NLINK_1). */
  startBlockHigh: union(u16(6)),
  /** Bits 32-47 of `blocks`. */
  blocksHigh: union(u16(6)),
} as const;

/** What `data` (i_u) holds depends on type and layout. */
const data = {
  /** Flat layouts: first block of the data. */
  startBlockLow: u32(16),
  /** Compressed layouts: blocks that the data takes. */
  blocksLow: union(u32(16)),
  /** Chunk-based layout: bits of CHUNK_FORMAT. */
  chunkFormat: union(u16(16)),
  /** Character and block devices: see `encodeDevice`. */
  rdev: union(u32(16)),
} as const;

/** struct erofs_inode_compact. */
export const compactInodeRecord = defineRecord('compact inode', 32, {
  format: u16(0),
  xattrCount: u16(2),
  mode: u16(4),
  ...highHalf,
  size: u32(8),
  /** Seconds after the superblock's `epoch`. */
  mtime: u32(12),

  ...data,
  /** Serial number; only a 32-bit stat shows it. */
  ino: u32(20),
  uid: u16(24),
  gid: u16(26),
  reserved: u32(28),
});

/** struct erofs_inode_extended. */
export const extendedInodeRecord = defineRecord('extended inode', 64, {
  format: u16(0),
  xattrCount: u16(2),
  mode: u16(4),
  startBlockHigh: u16(6),
  blocksHigh: union(u16(6)),
  size: u64(8),

  ...data,
  ino: u32(20),
  uid: u32(24),
  gid: u32(28),

  /** Seconds since 1970. */
  mtime: s64(32),
  mtimeNanoseconds: u32(40),
  nlink: u32(44),

  reserved: bytes(48, 16),
});

/** Device number as inodes hold it (new_encode_dev() of Linux: 12-bit major, 20-bit minor). */
export function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

/** The reverse of `encodeDevice`. */
export function decodeDevice(rdev: number): { major: number; minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}
