import { defineRecord, u16, u32 } from './record';

/** Bits of a chunk-based inode's `chunkFormat`. All others must be 0. */
export const CHUNK_FORMAT = {
  /** log2 of the chunk size over the block size. */
  BITS_MASK: 0x1f,
  /** The table has `chunkIndexRecord`, else `chunkBlockRecord`. */
  INDEXES: 0x20,
  '48BIT': 0x40,
  KNOWN: 0x7f,
} as const;

/** Block of a chunk; CHUNK_HOLE_LOW: a hole. */
export const chunkBlockRecord = defineRecord('chunk block', 4, {
  block: u32(0),
});

/** struct erofs_inode_chunk_index. */
export const chunkIndexRecord = defineRecord('chunk index', 8, {
  /** Counts only with CHUNK_FORMAT 48BIT. */
  startBlockHigh: u16(0),
  /** 0: the primary device, else a slot of the device table, counted from 1. */
  deviceId: u16(2),
  /** CHUNK_HOLE_LOW (and CHUNK_HOLE_HIGH, where that counts): a hole. */
  startBlockLow: u32(4),
});

export const CHUNK_HOLE_LOW = 0xffff_ffff;
export const CHUNK_HOLE_HIGH = 0xffff;
