import { readdir, readFile, readlink } from 'node:fs/promises';
import { errorCode } from '../linux/errno';

/**
 * The processes that serve a connection, told by their descriptors of /dev/fuse. `minor` is the minor device number of
 * the mount. Processes that this one may not look into, or that live in another pid namespace, are left out; so are all on
 * kernels that do not say which connection a descriptor belongs to (fs/fuse/dev.c, fuse_dev_show_fdinfo()).
 */
export async function connectionServers(minor: number): Promise<number[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const servers: number[] = [];
  for (const name of names) if (await serves(name, minor)) servers.push(Number(name));
  return servers;
}

async function serves(pid: string, minor: number): Promise<boolean> {
  const descriptors = await orNothing(readdir(`/proc/${pid}/fd`));
  for (const descriptor of descriptors ?? []) {
    if ((await orNothing(readlink(`/proc/${pid}/fd/${descriptor}`))) !== '/dev/fuse') continue;
    const info = await orNothing(readFile(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8'));
    if (Number(/^fuse_connection:\s*(\d+)$/m.exec(info ?? '')?.[1]) === minor) return true;
  }
  return false;
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
