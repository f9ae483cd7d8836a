import { chmod, chown, mkdir } from 'node:fs/promises';
import { errorCode } from '../linux/errno';
import { Kind } from '../proto/snapshots';
import type { LayerRoot } from './image-building';
import type { Paths } from './paths';
import type { Snapshot, SnapshotId } from './store/snapshot-table';

/** Of the root directory of a snapshot without a parent: what containerd's own snapshotters give. */
const FRESH_ROOT: LayerRoot = { mode: 0o755, uid: 0, gid: 0 };
const PERMISSION_BITS = 0o7777;

/** Makes the directories that everything else lies in, where they are missing; root alone may enter them. */
export async function makeRootDirectories(paths: Paths): Promise<void> {
  for (const directory of [paths.root, paths.snapshots, paths.images, paths.trash]) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }
}

/**
 * Makes the directories of an active snapshot or view, where they are missing. overlayfs shows the upper directory's
 * own mode and owner as those of the container's root directory, so they are the parent's.
 */
export async function makeSnapshotDirectories(
  paths: Paths,
  snapshot: { readonly id: SnapshotId; readonly kind: Snapshot['kind'] },
  parentRoot: LayerRoot = FRESH_ROOT,
): Promise<void> {
  const upper = paths.upper(snapshot.id);
  await makeDirectory(paths.snapshot(snapshot.id));
  // A directory that is there already is a container's and keeps its mode.
  if (await makeDirectory(upper)) {
    await chown(upper, parentRoot.uid, parentRoot.gid);
    await chmod(upper, parentRoot.mode & PERMISSION_BITS);
  }
  if (snapshot.kind === Kind.ACTIVE) await makeDirectory(paths.work(snapshot.id));
}

/**
 * Makes a directory in one that is there, unless it is itself: then this resolves to false. (`recursive` would do the same,
 * but Node reports ENOENT then for most failures, a read-only file system among them.)
 */
async function makeDirectory(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}
