import type { Kind, Labels } from '../proto/snapshots';

/** A snapshot's kind; a stored snapshot is never of an unknown one. */
export type SnapshotKind = Exclude<Kind, typeof Kind.UNKNOWN>;

/** What containerd sees of a snapshot. Times are nanoseconds since 1970. */
export interface SnapshotInfo {
  /** Key of an active snapshot or view, name of a committed one. */
  readonly name: string;
  /** Name of the parent, "" where there is none. */
  readonly parent: string;
  readonly kind: SnapshotKind;
  readonly createdNs: bigint;
  readonly updatedNs: bigint;
  readonly labels: Readonly<Labels>;
}

/** Disk space in bytes, and inodes. */
export interface SnapshotUsage {
  readonly bytes: number;
  readonly inodes: number;
}
