import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Kind } from '../proto/snapshots';
import type { Paths } from './paths';
import type { SnapshotId, SnapshotTable } from './store/snapshot-table';
import type { Trash } from './trash';

/**
 * Throws away directories and images that no row owns: what a crash, or a deletion that failed, left behind. Things of
 * snapshots in `busy` have no row yet and stay. Returns the paths.
 */
export async function discardLeftovers(
  paths: Paths,
  snapshots: SnapshotTable,
  trash: Trash,
  busy: ReadonlySet<SnapshotId>,
): Promise<string[]> {
  const directories = await findLeftovers(
    paths.snapshots,
    (id) => snapshots.get(id)?.kind !== Kind.COMMITTED,
  );
  const images = await findLeftovers(paths.images, (id) => snapshots.get(id)?.kind === Kind.COMMITTED);
  const leftovers = [...directories, ...images];
  for (const path of leftovers) await trash.discard(path);
  return leftovers;

  async function findLeftovers(parent: string, belongs: (id: SnapshotId) => boolean): Promise<string[]> {
    const names = await readdir(parent);
    return names
      .filter((name) => {
        // Unfinished images are called `.ID.erofs.tmp-…`; a name without a number is nobody's.
        const id = /^\.?(\d+)/.exec(name)?.[1];
        if (id === undefined) return true;
        const snapshotId = Number(id) as SnapshotId;
        if (busy.has(snapshotId)) return false;
        const complete = name === id || name === `${id}.erofs` || name === `${id}.digests`;
        return !complete || snapshots.get(snapshotId) === undefined || !belongs(snapshotId);
      })
      .map((name) => join(parent, name));
  }
}
