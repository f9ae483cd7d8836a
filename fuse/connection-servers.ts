import { readdir, readFile, readlink } from 'node:fs/promises';
import { errorCode } from '../linux/errno';

/**
 * The processes that serve a connection, told by their descriptors of /dev/fuse. `minor` is the minor device number of
 * the mount. Processes that this one may not look into, or that live in another pid namespace, are left out; so are all on
 * kernels that do not say which connection a descriptor belongs to (fs/fuse/dev.c, fuse_dev_show_fdinfo()).
 */
export async function connectionServers(minor: number): Promise<number[]> {
  return (await serversByConnection()).get(minor) ?? [];
}

/** The same of all connections that somebody serves, by minor device number. */
export async function serversByConnection(): Promise<Map<number, number[]>> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const servers = new Map<number, number[]>();
  for (const pid of pids) {
    for (const minor of await connectionsOf(pid)) {
      servers.set(minor, [...(servers.get(minor) ?? []), Number(pid)]);
    }
  }
  return servers;
}

async function connectionsOf(pid: string): Promise<Set<number>> {
  const descriptors = (await orNothing(readdir(`/proc/${pid}/fd`))) ?? [];
  const connections = new Set<number>();
  for (const descriptor of descriptors) {
    if ((await orNothing(readlink(`/proc/${pid}/fd/${descriptor}`))) !== '/dev/fuse') continue;
    const info = await orNothing(readFile(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8'));
    const minor = /^fuse_connection:\s*(\d+)$/m.exec(info ?? '')?.[1];
    if (minor !== undefined) connections.add(Number(minor));
  }
  return connections;
}

/** Processes and descriptors may be gone, or somebody else's, between one look and the next. */
async function orNothing<Value>(look: Promise<Value>): Promise<Value | undefined> {
  try {
    return await look;
  } catch (error) {
    switch (errorCode(error)) {
      case 'ENOENT':
      case 'ESRCH':
      case 'EACCES':
      case 'EPERM':
        return undefined;
      default:
        throw error;
    }
  }
}
