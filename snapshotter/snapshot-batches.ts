import type { Snapshot } from './store/snapshot-table';

/** Snapshots in one batch. */
const BATCH = 100;

/** Those of the snapshots that match, in batches. */
export function* batches(
  snapshots: Iterable<Snapshot>,
  matches: (snapshot: Snapshot) => boolean,
): Generator<Snapshot[], void, undefined> {
  let batch: Snapshot[] = [];
  for (const snapshot of snapshots) {
    if (!matches(snapshot)) continue;
    batch.push(snapshot);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
