import { isBelow, originOf } from '../linux/mount-origin';
import { readMountTable } from '../linux/mount-table';
import { overlayLayers } from '../linux/overlay-layers';
import type { Paths } from './paths';
import type { SnapshotId } from './store/snapshot-table';
import type { MountOf } from './trash';

/**
 * Where a directory of a snapshot is mounted: an overlay writes into it, or it is bound somewhere. Undefined where this
 * process sees no such mount. Told by the mount table, since nothing else can: the kernel lets the directory of a mounted
 * overlay be renamed and deleted. The table names bind mounts by where the directory is, and upper directories by where
 * it was when the overlay was mounted.
 */
export async function mountOfSnapshot(directory: string, formerly: string): Promise<string | undefined> {
  const table = await readMountTable();
  const origin = originOf(table, directory);
  return table.find((entry) => {
    if (entry.type === 'overlay') return isBelow(overlayLayers(entry).upper ?? '', formerly);
    return entry.device === origin?.device && isBelow(entry.root, origin.inside);
  })?.target;
}

/** The same of what was thrown away, by its name before that: see Trash. Only directories of snapshots are ever mounted. */
export function snapshotMounts(paths: Paths): MountOf {
  return (path, name) =>
    /^\d+$/.test(name)
      ? mountOfSnapshot(path, paths.snapshot(Number(name) as SnapshotId))
      : Promise.resolve(undefined);
}

/**
 * Where a layer is mounted, by its directory in the images mount: below an overlay, or bound by itself. Overlays whose lower
 * directories were shortened to relative paths are not seen: those might be anybody's.
 */
export async function mountOfLayer(directory: string): Promise<string | undefined> {
  return (await readMountTable()).find((entry) => {
    if (entry.type === 'overlay') return overlayLayers(entry).lower.includes(directory);
    return entry.type.startsWith('fuse.') && entry.root !== '/' && directory.endsWith(entry.root);
  })?.target;
}
