import { MOUNT_TYPE } from '../../../ishare/engine-mounts';
import { unmount, UMOUNT } from '../../../linux/mount';
import type { MountEntry } from '../../../linux/mount-table';
import { connectionOf, isHolder, type Connection } from './connections';
import { fine, LeftAloneError, type Finding } from './finding';
import { overlaysAbove, overlaysOf, placeOfOverlay } from './layers-in-use';
import { readMountTables, type MountTables } from './mount-tables';

/** What is mounted where the images mount belongs, and who serves it. */
export interface ImagesMountLook {
  readonly directory: string;
  /** Oldest first. */
  readonly mounts: readonly MountEntry[];
  readonly connection: Connection | undefined;
  /** Whether one of those that have the connection is more than a holder. */
  readonly served: boolean;
  /** Mount points of what lies above it or is mounted from it. */
  readonly users: readonly string[];
}

export async function lookAtImagesMount(
  directory: string,
  tables: MountTables,
  connections: readonly Connection[],
): Promise<ImagesMountLook> {
  const mounts = tables.own.filter(({ target }) => target === directory);
  const last = mounts.at(-1);
  const connection = last && connectionOf(connections, last);
  const holders = await Promise.all((connection?.servers ?? []).map(isHolder));
  return {
    directory,
    mounts,
    connection,
    served: holders.includes(false),
    users: usersOf(directory, mounts, tables),
  };
}

/** Overlays, and bind mounts of a single layer. */
function usersOf(directory: string, mounts: readonly MountEntry[], tables: MountTables): string[] {
  const bound = [tables.own, ...tables.others].flatMap((table) =>
    table.filter((entry) => entry.root !== '/' && mounts.some(({ device }) => device === entry.device)),
  );
  const overlays = overlaysAbove(overlaysOf(tables), directory);
  return [...new Set([...bound.map(({ target }) => target), ...overlays.map(placeOfOverlay)])];
}

export function imagesMountFindings(look: ImagesMountLook, running: boolean): Finding[] {
  const { directory, mounts, connection, served } = look;
  const foreign = mounts.find(({ type }) => type !== MOUNT_TYPE);
  if (foreign !== undefined) {
    return [
      problem(look, `a file system of type ${foreign.type} where the images mount belongs`, {
        why: 'the daemon will refuse to start',
        remedy: 'unmount it',
      }),
    ];
  }
  if (mounts.length === 0) return running || look.users.length > 0 ? [missing(look)] : [];
  const stacked = mounts.length === 1 ? [] : [overEachOther(look)];
  if (running && served) return [fine('mounts', 'the images mount is served', directory), ...stacked];
  if (connection !== undefined && connection.servers.length > 0) return [waiting(look), ...stacked];
  return [dead(look, running), ...stacked];
}

function missing(look: ImagesMountLook): Finding {
  return problem(look, 'the images mount is not there', {
    why: `${usersInWords(look)} below which nothing is, or no container can start`,
    remedy: 'restart the daemon, then the containers',
  });
}

function overEachOther(look: ImagesMountLook): Finding {
  return problem(look, 'several images mounts over each other', {
    why: 'only the topmost can be reached',
    remedy: 'stop the daemon, unmount them, and start it',
  });
}

function waiting(look: ImagesMountLook): Finding {
  const { waiting: requests = 0 } = look.connection ?? {};
  return problem(look, 'the images mount waits for a daemon', {
    why: `whoever reads from it waits too: ${requests} requests, ${usersInWords(look)}`,
    remedy: 'start the daemon: systemctl start ishare-snapshotter',
  });
}

function dead(look: ImagesMountLook, running: boolean): Finding {
  const what = 'the images mount is dead';
  const why = `nobody has its connection: ${usersInWords(look)}`;
  if (running) return problem(look, what, { why, remedy: 'restart the daemon, then the containers' });
  if (look.users.length > 0) {
    return problem(look, what, {
      why,
      remedy: `stop the containers (${look.users.join(', ')}) and start the daemon; it is left alone until then`,
    });
  }
  return {
    ...problem(look, what, { why, remedy: 'unmount it' }),
    repair: () => unmountUnused(look.directory),
  };
}

async function unmountUnused(directory: string): Promise<void> {
  const tables = await readMountTables();
  const mounts = tables.own.filter(({ target }) => target === directory);
  const [user] = usersOf(directory, mounts, tables);
  if (user !== undefined) throw new LeftAloneError(`${user} uses it`);
  for (const { target } of mounts) unmount(target, UMOUNT.DETACH);
}

function problem(
  { directory }: ImagesMountLook,
  what: string,
  rest: Pick<Finding, 'why' | 'remedy'>,
): Finding {
  return { area: 'mounts', level: 'problem', what, where: directory, ...rest };
}

function usersInWords({ users }: ImagesMountLook): string {
  return users.length === 0 ? 'no container uses it' : `${users.length} containers or views use it`;
}
