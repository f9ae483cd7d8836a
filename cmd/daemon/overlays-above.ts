import { readMountTable } from '../../linux/mount-table';

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
