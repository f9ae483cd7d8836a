import type { Labels } from '../proto/snapshots';
import { isForUnpacking } from './ready-made-image';

/** What containerd's server-side unpackers set on the snapshots that they unpack layers into. */
const UNPACKED_LABEL = 'containerd.io/snapshot.ref';

/**
 * dockerd prepares a snapshot of this name, lays a few files ready in it and commits it, before it prepares that of the container
 * on top.
 */
const LAID_READY = '-init-key';

/**
 * Whether a new snapshot is there to become a layer, and nothing will run from it: nothing is gained by merging what is
 * below it.
 */
export function becomesLayer({
  key,
  labels,
}: {
  readonly key: string;
  readonly labels: Readonly<Labels>;
}): boolean {
  return isForUnpacking(key) || UNPACKED_LABEL in labels || key.endsWith(LAID_READY);
}
