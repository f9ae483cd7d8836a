import { readdir, readFile } from 'node:fs/promises';
import { waitingRequests } from '../../../fuse/connection-control';
import { serversByConnection } from '../../../fuse/connection-servers';
import type { MountEntry } from '../../../linux/mount-table';
import type { MountTables } from './mount-tables';
import { ifShown } from './present';

const CONTROL = '/sys/fs/fuse/connections';

/** A FUSE connection of this machine, whoever's. */
export interface Connection {
  /** Minor device number of its mount, by which the kernel names it. */
  readonly minor: number;
  /** Processes that have its descriptor. */
  readonly servers: readonly number[];
  /** Requests that are not answered yet. */
  readonly waiting: number;
}

/** A process that keeps connections open for the next daemon. */
export interface HolderProcess {
  readonly pid: number;
  readonly connections: readonly number[];
}

export async function lookAtConnections(): Promise<Connection[]> {
  // Asked first, for it mounts the control file system where nobody has.
  await waitingRequests(0);
  const servers = await serversByConnection();
  const connections: Connection[] = [];
  for (const name of await readdir(CONTROL)) {
    const minor = Number(name);
    const waiting = await waitingRequests(minor);
    if (waiting !== undefined) connections.push({ minor, servers: servers.get(minor) ?? [], waiting });
  }
  return connections;
}

/** The holders among the processes that serve connections. */
export async function holdersAmong(connections: readonly Connection[]): Promise<HolderProcess[]> {
  const holders: HolderProcess[] = [];
  for (const pid of new Set(connections.flatMap(({ servers }) => servers))) {
    if (!(await isHolder(pid))) continue;
    const kept = connections.filter(({ servers }) => servers.includes(pid));
    holders.push({ pid, connections: kept.map(({ minor }) => minor) });
  }
  return holders;
}

/** Whether a process bears the name that startHolder() gives. */
export async function isHolder(pid: number): Promise<boolean> {
  const commandLine = await ifShown(readFile(`/proc/${pid}/cmdline`, 'utf8'));
  return commandLine?.split('\0')[0] === 'ishare-holder';
}

/** The connection of a mount; `device` is its `major:minor`. */
export function connectionOf(
  connections: readonly Connection[],
  { device }: { readonly device: string },
): Connection | undefined {
  return connections.find(({ minor }) => device === `0:${minor}`);
}

/**
 * Older kernels do not say who has a connection. Where none names any of the processes that must have that of the mount on
 * `target`, these are taken to have it.
 */
export function withKnownServers(
  connections: readonly Connection[],
  table: readonly MountEntry[],
  target: string,
  known: readonly number[],
): readonly Connection[] {
  const told = connections.some(({ servers }) => servers.some((server) => known.includes(server)));
  if (told || known.length === 0) return connections;
  const mounts = table.filter((entry) => entry.target === target);
  return connections.map((connection) =>
    mounts.some((mount) => connectionOf([connection], mount) !== undefined)
      ? { ...connection, servers: [...connection.servers, ...known] }
      : connection,
  );
}

/** Minor device numbers of connections that nobody serves, and whose mounts are nowhere: something holds them still. */
export function lostConnections(connections: readonly Connection[], { own, others }: MountTables): number[] {
  const mounted = new Set([own, ...others].flat().map(({ device }) => device));
  return connections
    .filter(({ minor, servers }) => servers.length === 0 && !mounted.has(`0:${minor}`))
    .map(({ minor }) => minor);
}
