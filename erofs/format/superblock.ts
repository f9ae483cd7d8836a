import { bytes, defineRecord, nid64, s64, u16, u32, u64, u8, union } from './record';

/** Byte offset of the superblock in the image. */
export const SUPERBLOCK_OFFSET = 1024;

export const SUPERBLOCK_MAGIC = 0xe0f5e1e2;

/** The fixed part; `extensionSlots` times 16 bytes follow it. */
export const SUPERBLOCK_SIZE = 128;
export const SUPERBLOCK_EXTENSION_SLOT = 16;

/** struct erofs_super_block (fs/erofs/erofs_fs.h, Linux 7.0). */
export const superblockRecord = defineRecord('superblock', SUPERBLOCK_SIZE, {
  magic: u32(0),
  /** CRC-32C over the rest of the superblock's block, where SB_CHKSUM is set: see `superblockChecksum`. */
  checksum: u32(4),
  featureCompat: u32(8),
  /** log2 of the block size. */
  blkszbits: u8(12),
  extensionSlots: u8(13),

  rootNid2b: u16(14),
  /** Bits 32-47 of `blocks`, where the root is in `rootNid8b`. */
  blocksHigh: union(u16(14)),
  /** Count of inodes. */
  inos: u64(16),
  /** Seconds since 1970 that compact inodes count from. */
  epoch: s64(24),

  /** Nanoseconds of every compact inode. */
  fixedNanoseconds: u32(32),
  /** Blocks of the primary device, bits 0-31. */
  blocksLow: u32(36),
  /** Block of nid 0. */
  metaBlockAddress: u32(40),
  /** Block from which ids of shared xattrs count. */
  xattrBlockAddress: u32(44),

  uuid: bytes(48, 16),

  volumeName: bytes(64, 16),

  featureIncompat: u32(80),
  /** Bit per algorithm, where COMPR_CFGS is set. */
  availableCompressionAlgorithms: u16(84),
  /** Bytes, where COMPR_CFGS is not set; 0 means 64 KiB. */
  lz4MaxDistance: union(u16(84)),
  extraDevices: u16(86),
  /** Device table, in units of 128 bytes. */
  deviceTableSlot: u16(88),
  /** log2 of the directory block size over the block size; must be 0. */
  dirblkbits: u8(90),
  xattrPrefixCount: u8(91),
  /** Long xattr prefixes, in units of 4 bytes. */
  xattrPrefixStart: u32(92),

  /** 0: there is no packed file. */
  packedNid: nid64(96),
  /** Not 0: name filters mean nothing. */
  xattrFilterReserved: u8(104),
  /** Long prefix that names the fingerprint xattr, where ISHARE_XATTRS is set (Linux 7.0). */
  ishareXattrPrefixId: u8(105),
  /** Seconds from `epoch` to the making of the image. */
  buildTime: u32(108),

  /** Where 48BIT is set and this is not 0. */
  rootNid8b: nid64(112),
});

/** What follows the fixed part where METABOX is set (Linux 6.17). */
export const superblockExtensionRecord = defineRecord('superblock extension', 16, {
  metaboxNid: nid64(0),
});
