import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Kind } from '../proto/snapshots';
import { parseImageFileName, type Paths } from './paths';
import type { MetadataStore } from './store/metadata-store';
import type { SnapshotId } from './store/snapshot-table';
import type { Trash } from './trash';

/**
 * Throws away directories and images that no row owns: what a crash, or a deletion that failed, left behind. Things of
 * snapshots in `busy` have no row yet and stay. Returns the paths.
 */
export async function discardLeftovers(
  paths: Paths,
  { snapshots, mergedImages }: Pick<MetadataStore, 'snapshots' | 'mergedImages'>,
  trash: Trash,
  busy: ReadonlySet<SnapshotId>,
): Promise<string[]> {
  const directories = await findLeftovers(paths.snapshots, (name) => {
    const kind = /^\d+$/.test(name) ? snapshots.get(Number(name) as SnapshotId)?.kind : undefined;
    return kind !== undefined && kind !== Kind.COMMITTED;
  });
  const images = await findLeftovers(paths.images, (name) => {
    const file = parseImageFileName(name);
    if (file === undefined || snapshots.get(file.id)?.kind !== Kind.COMMITTED) return false;
    return !file.merged || mergedImages.find(file.id) !== undefined;
  });
  const leftovers = [...directories, ...images];
  for (const path of leftovers) await trash.discard(path);
  return leftovers;

  async function findLeftovers(parent: string, belongs: (name: string) => boolean): Promise<string[]> {
    const names = await readdir(parent);
    return names
      .filter((name) => {
        // Unfinished images are called `.ID.erofs.tmp-…`; a name without a number is nobody's.
        const id = /^\.?(\d+)/.exec(name)?.[1];
        if (id !== undefined && busy.has(Number(id) as SnapshotId)) return false;
        return !belongs(name);
      })
      .map((name) => join(parent, name));
  }
}
