import type { LclusterType } from '../format/compression';

/** What an index says of one logical cluster: a piece of the file of `1 << clusterBits` bytes. */
export interface Lcluster {
  readonly type: LclusterType;
  /** Heads and plain ones: where in the lcluster their extent starts (bytes). */
  readonly clusterOffset: number;
  /** Heads and plain ones: first block of the pcluster. */
  readonly block: number;
  /** Others: lclusters back to the head or towards it, at least 1 in a sound image. */
  readonly distanceBack: number;
  /** Others: lclusters on to the next head or towards it; 0 from old versions of mkfs, meaning 1. */
  readonly distanceOn: number;
  /** The lcluster right behind a head: blocks of the pcluster, if it says so. */
  readonly blocks: number | undefined;
  readonly partial: boolean;
  readonly hole: boolean;
}

/** One of the two forms of an index. */
export interface LclusterIndex {
  /** At once where the index is in memory. Throws or rejects with ErofsCorruptError. */
  load(number: number): Lcluster | Promise<Lcluster>;
  /** Several from number `first` on, of which each is in the file. */
  loadRun(first: number, count: number): readonly Lcluster[] | Promise<readonly Lcluster[]>;
  /** First byte behind the record or pack of an lcluster, in the inode's home: inline pclusters start there. */
  endOf(number: number): number;
}
