import { MOUNT_NAME } from '../../ishare/engine';
import { UMOUNT, unmount } from '../../linux/mount';
import { readMountTable } from '../../linux/mount-table';
import { StartError } from './start-error';

/**
 * Takes away what an earlier daemon left mounted on a directory. The mount table names it, so nothing touches the dead
 * file system. Resolves to the number of mounts that were there. Throws StartError where something else is mounted.
 */
export async function clearStaleMounts(directory: string): Promise<number> {
  const stale = (await readMountTable()).filter(({ target }) => target === directory);
  const foreign = stale.find(({ type }) => type !== `fuse.${MOUNT_NAME}`);
  if (foreign !== undefined) {
    throw new StartError(
      `${directory}: a file system of type ${foreign.type} is mounted here; unmount it first`,
    );
  }
  for (const { target } of stale) unmount(target, UMOUNT.DETACH);
  return stale.length;
}

/**
 * Targets of the overlays that have a layer below one of these directories: containers that still run. Two directories
 * are asked about because containerd shortens long lists of lower directories to relative paths, which name nothing.
 */
export async function overlaysAbove(directories: readonly string[]): Promise<string[]> {
  const layer = /^(lowerdir\+?|upperdir)=/;
  return (await readMountTable())
    .filter(({ type }) => type === 'overlay')
    .filter(({ superOptions }) =>
      superOptions.some(
        (option) => layer.test(option) && directories.some((directory) => option.includes(`${directory}/`)),
      ),
    )
    .map(({ target }) => target);
}
