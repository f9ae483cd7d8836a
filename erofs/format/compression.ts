import { bytes, defineRecord, u16, u32, u8, union } from './record';

/** Algorithms by their number on disk; bit N of the superblock's `availableCompressionAlgorithms` is number N. */
export const ALGORITHM = { LZ4: 0, LZMA: 1, DEFLATE: 2, ZSTD: 3 } as const;

export type Algorithm = (typeof ALGORITHM)[keyof typeof ALGORITHM];

export const ALGORITHM_NAMES: Readonly<Record<Algorithm, string>> = {
  [ALGORITHM.LZ4]: 'LZ4',
  [ALGORITHM.LZMA]: 'MicroLZMA',
  [ALGORITHM.DEFLATE]: 'DEFLATE',
  [ALGORITHM.ZSTD]: 'Zstandard',
};

export function isAlgorithm(value: number): value is Algorithm {
  return Number.isInteger(value) && value >= ALGORITHM.LZ4 && value <= ALGORITHM.ZSTD;
}

/** Largest physical cluster, and largest extent that one may decode to (bytes; Z_EROFS_PCLUSTER_MAX_SIZE, _DSIZE). */
export const PCLUSTER_SIZE_MAX = 1024 * 1024;
export const EXTENT_LENGTH_MAX = 12 * 1024 * 1024;

/**
 * Compression configuration: where COMPR_CFGS is set, one record for each available algorithm follows the superblock
 * and its extension, in the order of their numbers. Each starts on a multiple of CONFIGURATION_ALIGNMENT with
 * this head.
 */
export const configurationHeadRecord = defineRecord('compression configuration', 2, {
  /** Bytes after this field; 0 stands for 65536. */
  length: u16(0),
});

export const CONFIGURATION_ALIGNMENT = 4;

/** struct z_erofs_lz4_cfgs. */
export const lz4ConfigurationRecord = defineRecord('LZ4 configuration', 14, {
  /** Bytes that a match may reach back; 0 means 64 KiB. */
  maxDistance: u16(0),
  /** Blocks of the largest pcluster; 0 means 1. */
  maxPclusterBlocks: u16(2),
  reserved: bytes(4, 10),
});

/** struct z_erofs_lzma_cfgs. */
export const lzmaConfigurationRecord = defineRecord('LZMA configuration', 14, {
  /** Bytes. */
  dictionarySize: u32(0),
  /** 0: MicroLZMA. */
  format: u16(4),
  reserved: bytes(6, 8),
});

export const LZMA_DICTIONARY_MIN = 4096;
export const LZMA_DICTIONARY_MAX = 8 * 1024 * 1024;

/** struct z_erofs_deflate_cfgs. */
export const deflateConfigurationRecord = defineRecord('DEFLATE configuration', 6, {
  windowBits: u8(0),
  reserved: bytes(1, 5),
});

export const DEFLATE_WINDOW_BITS_MIN = 8;
export const DEFLATE_WINDOW_BITS_MAX = 15;

/** struct z_erofs_zstd_cfgs. */
export const zstdConfigurationRecord = defineRecord('Zstandard configuration', 6, {
  format: u8(0),
  /** log2 of the window, less ZSTD_WINDOW_LOG_BASE. */
  windowLog: u8(1),
  reserved: bytes(2, 4),
});

export const ZSTD_WINDOW_LOG_BASE = 10;
/** The window of Linux is at most 1 MiB. */
export const ZSTD_WINDOW_LOG_MAX = 20;

/**
 * struct z_erofs_map_header: stands behind the inode and its xattrs, on a multiple of MAP_HEADER_ALIGNMENT. Where bit 7
 * of `clusterBits` is set, the whole file is one fragment, and `wholeFragmentOffset` is all that counts.
 */
export const mapHeaderRecord = defineRecord('map header', 8, {
  /** With FRAGMENT: where the tail is in the packed file (bytes), bits 0-31. */
  fragmentOffsetLow: u32(0),
  /** With INLINE: bytes of the inline pcluster. */
  inlineSize: union(u16(2)),
  /** With EXTENTS: how many records the table has, bits 0-31. */
  extentsLow: union(u32(0)),
  advise: u16(4),
  /** Algorithm of HEAD1 in the low 4 bits, of HEAD2 in the high ones. */
  algorithms: u8(6),
  /** Low 4 bits: log2 of the lcluster size over the block size. */
  clusterBits: u8(7),
  /** With EXTENTS and records of 16 or 32 bytes: bits 32-47 of their count. */
  extentsHigh: union(u16(6)),
});

export const MAP_HEADER_ALIGNMENT = 8;
export const CLUSTER_BITS_MASK = 0xf;
/** Bit of `clusterBits`: the file is in the packed file as a whole, from the header's 63 low bits on. */
export const WHOLE_FRAGMENT = 0x80;

/** Bits of the map header's `advise`. */
export const ADVISE = {
  /** Compact indexes: packs of 16 lclusters in 32 bytes are used besides those of 2 in 8. */
  COMPACTED_2B: 0x1,
  /** Full indexes (the same bit): there are encoded extents instead (Linux 6.15). */
  EXTENTS: 0x1,
  /** HEAD1 pclusters may have several blocks. */
  BIG_PCLUSTER_1: 0x2,
  /** HEAD2 and plain pclusters may. */
  BIG_PCLUSTER_2: 0x4,
  /** With EXTENTS, log2 of the record size over 4 takes the place of the two above. */
  EXTENT_SIZE_SHIFT: 1,
  EXTENT_SIZE_MASK: 0x3,
  /** The last pcluster lies behind the index (ztailpacking). */
  INLINE_PCLUSTER: 0x8,
  /** Plain blocks are rotated, so that bytes keep their place in the block. */
  INTERLACED_PCLUSTER: 0x10,
  /** The last extent lies in the packed file. */
  FRAGMENT_PCLUSTER: 0x20,
} as const;

/** What a logical cluster is. Heads and plain ones start an extent within them, at `clusterOffset`. */
export const LCLUSTER_TYPE = { PLAIN: 0, HEAD1: 1, NONHEAD: 2, HEAD2: 3 } as const;

export type LclusterType = (typeof LCLUSTER_TYPE)[keyof typeof LCLUSTER_TYPE];

/** Record of a full index: z_erofs_lcluster_index. The index starts FULL_INDEX_GAP bytes behind the map header. */
export const fullIndexRecord = defineRecord('full index', 8, {
  /** Bits of FULL_INDEX_ADVISE. */
  advise: u16(0),
  /** Heads: where in the lcluster the extent starts (bytes). */
  clusterOffset: u16(2),
  /** Heads: block of the pcluster. */
  block: u32(4),
  /** Others: lclusters back to the head, or with CBLKCNT the blocks of the pcluster. */
  distanceBack: union(u16(4)),
  /** Others: lclusters on to the next head. */
  distanceOn: union(u16(6)),
});

export const FULL_INDEX_GAP = 8;

export const FULL_INDEX_ADVISE = {
  TYPE_MASK: 0x3,
  /** The extent is nothing but a hole (Linux 7.2). */
  HOLE: 0x4000,
  /** The pcluster holds more than this extent wants of it (dedupe). */
  PARTIAL_REF: 0x8000,
} as const;

/** Bit of a distance back: the other bits are the blocks of the pcluster, and the head is right before. */
export const CBLKCNT = 0x800;

/**
 * A compact index is a row of packs; each ends in the 32-bit number of a block, before which the entries stand as bit
 * fields, from the lowest bit on: a value of at least COMPACT_LOW_BITS_MIN bits, then two bits of type.
 */
export interface PackShape {
  /** Bytes. */
  readonly size: number;
  readonly entries: number;
}

/** 4 bytes an lcluster, and 2. */
export const PACK_OF_2: PackShape = { size: 8, entries: 2 };
export const PACK_OF_16: PackShape = { size: 32, entries: 16 };

export const packBaseRecord = defineRecord('compact index pack base', 4, { block: u32(0) });

export const COMPACT_LOW_BITS_MIN = 12;
export const COMPACT_TYPE_BITS = 2;
/** Larger lclusters do not fit into packs. */
export const COMPACT_CLUSTER_BITS_MAX = 14;

/** Sizes of encoded extent records (bytes): the smaller ones leave out what stands last here. */
export const EXTENT_RECORD_SIZES = [4, 8, 16, 32] as const;

/** struct z_erofs_extent. */
export const extentRecord = defineRecord('encoded extent', 32, {
  /** Bits of EXTENT_PHYSICAL. */
  physicalLength: u32(0),
  /** Where the pcluster starts (bytes, in no way aligned). */
  physicalStartLow: u32(4),
  physicalStartHigh: u32(8),
  /** Where the extent starts in the file (bytes). */
  logicalStartLow: u32(12),
  logicalStartHigh: u32(16),
  reserved: bytes(20, 12),
});

/** Tables of 4-byte records start with where the first pcluster is; the others follow one another. */
export const EXTENT_TABLE_START_SIZE = 8;

export const EXTENT_PHYSICAL = {
  /** Bytes of the pcluster; 0: a hole. */
  LENGTH_MASK: 0x001f_ffff,
  /** The pcluster holds more than this extent wants of it. */
  PARTIAL: 0x0800_0000,
  /** 0: plain, else an algorithm's number plus 1. */
  FORMAT_SHIFT: 28,
} as const;
