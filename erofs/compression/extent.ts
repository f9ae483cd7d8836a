import { ErofsCorruptError, ErofsUnsupportedError } from '../errors';
import {
  ALGORITHM_NAMES,
  EXTENT_LENGTH_MAX,
  PCLUSTER_SIZE_MAX,
  isAlgorithm,
  type Algorithm,
} from '../format/compression';
import type { ImageSources } from '../image-sources';
import type { Inode } from '../inode';
import type { CompressionConfiguration } from './configuration';

/** Plain data: stored as it is, or rotated so that each byte keeps its place in the block. */
export type Coding = 'shifted' | 'interlaced' | Algorithm;

export interface Span {
  /** First byte in the file. */
  readonly start: number;
  /** Bytes of the file, at least 1. */
  readonly length: number;
}

export interface HoleExtent extends Span {
  readonly kind: 'hole';
}

/** A piece of the packed file. */
export interface FragmentExtent extends Span {
  readonly kind: 'fragment';
  /** Bytes from the start of the packed file. */
  readonly offset: number;
}

/** A physical cluster: bytes of the image that decode to this piece of the file. */
export interface PclusterExtent extends Span {
  readonly kind: 'pcluster';
  /** The pcluster lies beside the inode, not among the blocks. */
  readonly inline: boolean;
  /** Bytes from the start of the image, or of the inode's home if `inline`. */
  readonly position: number;
  /** Bytes, at most PCLUSTER_SIZE_MAX. */
  readonly size: number;
  readonly coding: Coding;
  /** It decodes to more than this extent shows. */
  readonly partial: boolean;
}

/** A run of a compressed file that is stored in one way. */
export type Extent = HoleExtent | FragmentExtent | PclusterExtent;

export function extentEnd({ start, length }: Span): number {
  return start + length;
}

/** Finds the extents of one inode. */
export interface ExtentMap {
  /** The extent that holds byte `offset`, which must be below the inode's size; at once where the map is in memory. */
  find(offset: number): Extent | Promise<Extent>;
  /**
   * The extents from that of byte `offset` on, in order and without gaps, towards byte `end`: the first, and those behind it
   * that are found with little more work.
   */
  findRun(offset: number, end: number): readonly Extent[] | Promise<readonly Extent[]>;
  /**
   * Reads all of what extents are found by. Rejects with ErofsCorruptError where it contradicts itself, so that reading
   * from one place on may give other bytes than reading from another.
   */
  check(): Promise<void>;
}

/** Blocks have 48 bits. */
const BLOCKS_MAX = 2 ** 48;

/** Refuses a pcluster that cannot be: what Linux checks before it decodes, and as it does. */
export function checkPcluster(
  extent: PclusterExtent,
  image: ImageSources,
  configuration: CompressionConfiguration,
  inode: Inode,
): PclusterExtent {
  const { coding, size, length, position } = extent;
  const site = { image: image.label, nid: inode.nid, offset: extent.start, inData: true, field: 'extent' };
  if (typeof coding !== 'string') {
    if (!isAlgorithm(coding)) throw new ErofsUnsupportedError(site, `algorithm ${String(coding)}`);
    if (!configuration.algorithms.has(coding)) {
      const problem = `${ALGORITHM_NAMES[coding]} is not among the algorithms of the image`;
      throw new ErofsCorruptError(site, problem);
    }
  }
  if (size > PCLUSTER_SIZE_MAX) throw new ErofsUnsupportedError(site, `a pcluster of ${size} bytes`);
  if (length > EXTENT_LENGTH_MAX) throw new ErofsUnsupportedError(site, `it decodes to ${length} bytes`);
  if (position + size > BLOCKS_MAX * image.superblock.blockSize || !Number.isSafeInteger(position + size)) {
    throw new ErofsCorruptError(site, `a pcluster at byte ${position}`);
  }
  if (typeof coding === 'string' && length > size) {
    throw new ErofsCorruptError(site, `${length} bytes do not fit in a plain pcluster of ${size}`);
  }
  return extent;
}
