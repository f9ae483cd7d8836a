import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { Kind } from '../proto/snapshots';
import type { ReadLayerRoot } from './image-building';
import { orGone } from './or-gone';
import type { Paths } from './paths';
import { makeSnapshotDirectories } from './snapshot-directories';
import type { Snapshot } from './store/snapshot-table';
import { discardUnfinishedUnpack } from './unpacked-image';

/**
 * Brings the directory of an active snapshot or view into order after whatever happened: what is missing is made, and what an
 * unpacking left that did not come to its end is removed.
 */
export async function recoverDirectory(
  paths: Paths,
  snapshot: Snapshot,
  readLayerRoot: ReadLayerRoot,
): Promise<void> {
  const { id, kind, parentId } = snapshot;
  const names: readonly string[] = await orGone(readdir(paths.snapshot(id)), []);
  const wanted = (kind === Kind.ACTIVE ? [paths.upper(id), paths.work(id)] : [paths.upper(id)]).map((path) =>
    basename(path),
  );
  // A power failure may take directories that were never flushed; what they held is lost with them.
  if (!wanted.every((name) => names.includes(name))) {
    const root = parentId === undefined ? undefined : await readLayerRoot(paths.image(parentId));
    await makeSnapshotDirectories(paths, snapshot, root);
  }
  // Nothing else is there of nearly all.
  if (names.length > wanted.length) await discardUnfinishedUnpack(paths, id);
}
