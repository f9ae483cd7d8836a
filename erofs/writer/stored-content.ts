import type { BlockAddress } from '../brands';
import type { Algorithm } from '../format/compression';
import type { DATA_LAYOUT } from '../format/inode';

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

/** The content of a file that is in the image. */
export interface StoredContent {
  /** Value of the fingerprint attribute. */
  readonly fingerprint: Buffer;
  readonly layout: (typeof DATA_LAYOUT)['FLAT_PLAIN' | 'FLAT_INLINE' | 'COMPRESSED_COMPACT'];
  /** Meaningless where there are no blocks. */
  readonly startBlock: BlockAddress;
  readonly blocks: number;
  readonly trailer: Trailer | undefined;
  /** Undefined: stored plain. */
  readonly algorithm: Algorithm | undefined;
}
