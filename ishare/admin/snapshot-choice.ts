import { AdminError } from './admin-error';
import { checkedSnapshot, quoted } from './request-fields';
import type { AdminSources, SnapshotLayers } from './sources';

/** Snapshots that an error names. */
const NAMED_MAX = 5;

/** The one snapshot that is meant, by its name or the end of it. */
export function snapshotNamed(sources: AdminSources, name: string): SnapshotLayers {
  const found = sources.findSnapshots(checkedSnapshot(name));
  const [snapshot] = found;
  if (snapshot === undefined) {
    throw new AdminError(
      'NOT_FOUND',
      `there is no snapshot ${quoted(name)} (ctr snapshots --snapshotter ishare ls, ishare images ls)`,
    );
  }
  if (found.length === 1) return snapshot;
  const names = found.slice(0, NAMED_MAX).map((other) => quoted(other.name));
  throw new AdminError(
    'INVALID_ARGUMENT',
    `${quoted(name)} are ${found.length} snapshots: give the whole name, such as ${names.join(', ')}`,
  );
}

/** The same for a committed snapshot, which is an image with those below it. */
export function imageNamed(sources: AdminSources, name: string): SnapshotLayers {
  const snapshot = snapshotNamed(sources, name);
  if (snapshot.kind === 'committed') return snapshot;
  throw new AdminError(
    'INVALID_ARGUMENT',
    `${quoted(name)} is a container's snapshot and no image (ishare images ls)`,
  );
}
