import { lstat, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { createConnection } from 'node:net';
import path from 'node:path';
import type { StatusResponse } from '../../../proto/admin-messages';
import { errorCode } from '../../../linux/errno';
import { LOCK_FILE } from '../../daemon/private-directory';
import { fine, LeftAloneError, type Finding } from './finding';
import type { Place } from './place';
import { ifPresent, ifShown } from './present';

export type SocketState = 'missing' | 'nobody-listens' | 'answers' | 'no-socket';

/** The daemon from outside, and what it says of itself. */
export interface DaemonLook {
  /** Processes that hold the locks of the two directories. */
  readonly rootUser: number | undefined;
  readonly stateUser: number | undefined;
  readonly sockets: readonly { readonly path: string; readonly state: SocketState }[];
  readonly status: StatusResponse | undefined;
  /** Why there is no status, where there is none. */
  readonly silence: string;
}

export async function lookAtDaemon(
  { paths, state, address, adminAddress }: Place,
  answer: Pick<DaemonLook, 'status' | 'silence'>,
): Promise<DaemonLook> {
  const sockets = [];
  for (const socket of [address, adminAddress])
    sockets.push({ path: socket, state: await socketState(socket) });
  return {
    rootUser: await lockHolder(path.join(paths.root, LOCK_FILE)),
    stateUser: await lockHolder(path.join(state, LOCK_FILE)),
    sockets,
    ...answer,
  };
}

/** Whether a daemon uses ROOT, be it one that answers or not. */
export function daemonRuns({ rootUser, stateUser, status }: DaemonLook): boolean {
  return rootUser !== undefined || stateUser !== undefined || status !== undefined;
}

export function daemonFindings(look: DaemonLook): Finding[] {
  const { rootUser, stateUser, status, silence } = look;
  if (!daemonRuns(look)) return [NOT_RUNNING, ...staleSocketFindings(look)];
  const where = `process ${status?.pid ?? rootUser ?? stateUser ?? 0}`;
  const findings: Finding[] =
    status === undefined
      ? [
          {
            area: 'daemon',
            level: 'problem',
            what: 'the daemon does not answer',
            where,
            why: `${silence}; containers may wait for it`,
            remedy: 'see its log; systemctl restart ishare-snapshotter',
          },
        ]
      : [fine('daemon', `ishare-snapshotter ${status.version} runs and answers`, where)];
  if (rootUser === stateUser) return findings;
  return [
    ...findings,
    {
      area: 'daemon',
      level: 'problem',
      what: 'ROOT and STATE are not used by one daemon',
      where: `processes ${rootUser ?? 'none'} and ${stateUser ?? 'none'}`,
      why: 'what is compared here does not belong together',
      remedy: 'name the --root and --state of one daemon',
    },
  ];
}

const NOT_RUNNING: Finding = {
  area: 'daemon',
  level: 'note',
  what: 'no daemon runs',
  where: '',
  why: 'containerd cannot use this snapshotter',
  remedy: 'systemctl start ishare-snapshotter',
};

function staleSocketFindings({ sockets }: DaemonLook): Finding[] {
  return sockets
    .filter(({ state }) => state === 'nobody-listens' || state === 'no-socket')
    .map(({ path: socket, state }): Finding => {
      if (state === 'no-socket') {
        return {
          area: 'daemon',
          level: 'problem',
          what: 'something that is no socket',
          where: socket,
          why: 'the daemon will refuse to start',
          remedy: 'remove it by hand, or name another socket',
        };
      }
      return {
        area: 'daemon',
        level: 'problem',
        what: 'a socket on which nobody listens',
        where: socket,
        why: 'a daemon that was killed left it',
        remedy: 'remove it',
        repair: () => removeSocket(socket),
      };
    });
}

async function removeSocket(socket: string): Promise<void> {
  if ((await socketState(socket)) === 'answers') throw new LeftAloneError('somebody listens on it');
  await rm(socket, { force: true });
}

async function socketState(socket: string): Promise<SocketState> {
  const stats = await ifPresent(lstat(socket));
  if (stats === undefined) return 'missing';
  if (!stats.isSocket()) return 'no-socket';
  return (await listens(socket)) ? 'answers' : 'nobody-listens';
}

function listens(socket: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const connection = createConnection(socket);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', (error) => {
      const code = errorCode(error);
      // The queue of a listening socket may be full.
      if (code === 'EAGAIN') resolve(true);
      else if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(false);
      else reject(error);
    });
  });
}

/**
 * The process that holds the flock(2) of a file, told from /proc/locks: trying to take it could keep a daemon from
 * starting. Its lines are `N: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE START END` (fs/locks.c, lock_get_status()).
 */
async function lockHolder(file: string): Promise<number | undefined> {
  const stats = await ifPresent(stat(file));
  if (stats === undefined) return undefined;
  const locks = await readFile('/proc/locks', 'latin1');
  for (const line of locks.split('\n')) {
    const [, kind, , , pid, place = ''] = line.split(/\s+/);
    if (kind !== 'FLOCK' || place.split(':')[2] !== String(stats.ino)) continue;
    if (await hasOpen(Number(pid), file)) return Number(pid);
  }
  return undefined;
}

/** Device numbers in /proc/locks are not always those of stat(2) (btrfs), so the process is asked which file it is. */
async function hasOpen(pid: number, file: string): Promise<boolean> {
  return (await openFiles(pid)).has(file);
}

/** Paths that a process has open. */
export async function openFiles(pid: number): Promise<Set<string>> {
  const descriptors = (await ifShown(readdir(`/proc/${pid}/fd`))) ?? [];
  const paths = await Promise.all(
    descriptors.map((descriptor) => ifShown(readlink(`/proc/${pid}/fd/${descriptor}`))),
  );
  return new Set(paths.filter((found) => found !== undefined));
}
