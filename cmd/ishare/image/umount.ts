import { Command } from 'commander';
import { connectionServers } from '../../../fuse/connection-servers';
import { IMAGE_MOUNT_TYPE } from '../../../ishare/image-mount';
import { errorCode } from '../../../linux/errno';
import { unmount, UMOUNT } from '../../../linux/mount';
import { mountPointPath } from '../../../linux/mount-point-path';
import { readMountTable, type MountEntry } from '../../../linux/mount-table';
import { WatchedProcess } from '../../../linux/process-end';
import { topmostMount } from '../../../linux/topmost-mount';
import { CommandError } from '../command-error';
import { MOUNT_FAILURE } from './exit-code';
import { asCommandError } from './expected-failure';
import { complain, imageAction } from './image-action';

interface UmountFlags {
  readonly lazy?: boolean;
}

/** A process that serves nothing any more ends within moments. */
const PATIENCE_MS = 10_000;

export function umountCommand(): Command {
  return new Command('umount')
    .description('unmount an image, and wait until nothing holds its file open')
    .argument('<dir>', 'where "ishare image mount" has mounted it')
    .showHelpAfterError()
    .option('-l, --lazy', 'take it out of the tree though it is in use; whoever uses it is served until done')
    .addHelpText('after', '\nExit codes: 0 unmounted, 1 wrong usage, 32 not unmounted.')
    .action((directory: string, flags: UmountFlags) =>
      imageAction('umount', MOUNT_FAILURE, () => umount(directory, flags)),
    );
}

async function umount(directory: string, { lazy = false }: UmountFlags): Promise<number> {
  const entry = await imageMountAt(directory);
  const servers = lazy ? [] : await serversOf(entry);
  try {
    unmount(entry.target, UMOUNT.NOFOLLOW | (lazy ? UMOUNT.DETACH : 0));
  } catch (error) {
    throw explain(error, directory);
  }
  if (await mountedElsewhere(entry)) {
    say(`${directory}: unmounted, but the same mount is also at another place, and is served on`);
    return 0;
  }
  for (const server of servers) {
    if (await server.ends(PATIENCE_MS)) continue;
    say(`${directory}: unmounted, but process ${server.pid} serves it on: another mount namespace has it`);
  }
  return 0;
}

/** The mount at a directory, where it is one that this program has made. It may be dead: nobody asks it anything. */
async function imageMountAt(directory: string): Promise<MountEntry> {
  let target: string;
  try {
    target = await mountPointPath(directory);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw asCommandError(error);
    throw new CommandError(`${directory}: no mount point specified`, { cause: error });
  }
  const entry = topmostMount(await readMountTable(), target);
  if (entry === undefined) throw new CommandError(`${directory}: not mounted`);
  if (entry.type === IMAGE_MOUNT_TYPE) return entry;
  const what = `a file system of type ${entry.type}`;
  throw new CommandError(`${directory}: ${what}, not an image that ishare has mounted; use umount(8)`);
}

async function serversOf({ device }: MountEntry): Promise<WatchedProcess[]> {
  const found = await Promise.all(
    (await connectionServers(minorOf(device))).map((pid) => WatchedProcess.find(pid)),
  );
  return found.filter((server) => server !== undefined);
}

function minorOf(device: string): number {
  return Number(device.split(':')[1]);
}

async function mountedElsewhere({ device }: MountEntry): Promise<boolean> {
  return (await readMountTable()).some((entry) => entry.device === device);
}

function explain(error: unknown, directory: string): unknown {
  switch (errorCode(error)) {
    case 'EBUSY':
      return new CommandError(`${directory}: target is busy`, { cause: error });
    case 'EPERM':
      return new CommandError(`${directory}: must be superuser to unmount`, { cause: error });
    case 'EINVAL':
      return new CommandError(`${directory}: not mounted`, { cause: error });
    default:
      return asCommandError(error);
  }
}

function say(text: string): void {
  complain('umount', new CommandError(text));
}
