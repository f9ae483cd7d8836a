import type { BlockAddress } from '../brands';
import type { Algorithm } from '../format/compression';
import type { DATA_LAYOUT } from '../format/inode';
import type { SpooledExtents } from './spooled-extents';

/** What stands behind an inode and its attributes: an inline tail, or a map header with its index and what follows it. */
export interface Trailer {
  /** Where it waits in the spool. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  /** It starts at the next multiple of this. */
  readonly alignment: number;
  /** Bytes at its end that must lie in one block. */
  readonly inlineBytes: number;
}

/** What the index of a compressed file is made of. */
export interface WaitingIndex {
  readonly extents: SpooledExtents;
  /** Bytes of the pcluster that is to stand behind the index; in the spool it stands behind the extents. */
  readonly inlineBytes: number;
  readonly algorithm: Algorithm;
  readonly bigPclusters: boolean;
}

/** The content of a file that is in the image. */
export interface StoredContent {
  /** Value of the fingerprint attribute; undefined where the content is absent. */
  readonly fingerprint: Buffer | undefined;
  /** Chunk-based: the file is a hole, see `HoleContents`. */
  readonly layout: (typeof DATA_LAYOUT)['FLAT_PLAIN' | 'FLAT_INLINE' | 'COMPRESSED_COMPACT' | 'CHUNK_BASED'];
  /** Meaningless where there are no blocks. */
  readonly startBlock: BlockAddress;
  readonly blocks: number;
  readonly trailer: Trailer | undefined;
  /** Compressed files have this until the bytes of their inode are known, and a trailer from then on: see `placeIndexes`. */
  readonly index: WaitingIndex | undefined;
  /** Undefined: stored plain. */
  readonly algorithm: Algorithm | undefined;
}
