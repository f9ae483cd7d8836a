import type { Labels } from '../proto/snapshots';

export interface NewSnapshotRequest {
  readonly key: string;
  /** Name of a committed snapshot, or "". */
  readonly parent: string;
  readonly labels: Readonly<Labels>;
}

export interface CommitRequest {
  readonly name: string;
  readonly key: string;
  readonly labels: Readonly<Labels>;
  /** Parent for a snapshot that was prepared without one; "" leaves the parent as it is. */
  readonly parent?: string;
  /** Gives up until the moment the result is stored. */
  readonly signal?: AbortSignal;
}
