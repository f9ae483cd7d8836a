import { UMOUNT, unmount } from '../linux/mount';
import { readMountTable } from '../linux/mount-table';

/** Something else is mounted where a mount of ours is to go. */
export class ForeignMountError extends Error {
  override readonly name = 'ForeignMountError';
}

/**
 * Takes away what an earlier daemon left mounted on a directory. The mount table names it, so nothing touches the dead
 * file system. Resolves to the number of mounts that were there. Rejects with ForeignMountError where a file system of
 * another type than `type` is mounted.
 */
export async function clearStaleMounts(directory: string, type: string): Promise<number> {
  const stale = (await readMountTable()).filter(({ target }) => target === directory);
  const foreign = stale.find((mount) => mount.type !== type);
  if (foreign !== undefined) {
    throw new ForeignMountError(
      `${directory}: a file system of type ${foreign.type} is mounted here; unmount it first`,
    );
  }
  for (const { target } of stale) unmount(target, UMOUNT.DETACH);
  return stale.length;
}
