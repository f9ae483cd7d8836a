import { createHash } from 'node:crypto';
import { rm, rmdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode } from '../../linux/errno';
import { descendantsOf, readProcessTable } from '../process/process-table';

/** One running containerd-shim-runc-v2, as its command line tells. */
export interface Shim {
  readonly pid: number;
  readonly namespace: string;
  /** Id of the container (or sandbox) it serves. */
  readonly id: string;
}

/** Where every shim of the machine puts its socket; compiled into containerd (defaults.DefaultStateDir + "/s"). */
const SOCKETS = '/run/containerd/s';

/** The shims that were started by the containerd that listens at `address`. */
export async function shimsOf(address: string): Promise<Shim[]> {
  const table = await readProcessTable();
  return table.flatMap(({ pid, commandLine }) => {
    if (!(commandLine[0] ?? '').includes('containerd-shim')) return [];
    if (argument(commandLine, '-address') !== address) return [];
    return [{ pid, namespace: argument(commandLine, '-namespace'), id: argument(commandLine, '-id') }];
  });
}

/** The pids of shims and of all that runs in their containers, the containers' processes first. */
export async function processesOf(shims: readonly Shim[]): Promise<number[]> {
  const children = await Promise.all(shims.map(async (shim) => descendantsOf(shim.pid)));
  return [...children.flat().reverse(), ...shims.map((shim) => shim.pid)];
}

/**
 * Removes the sockets of shims that were killed. Their names are the SHA-256 of address, namespace and id
 * (SocketAddress in containerd's runtime/v2/shim); later versions append a word for a second one.
 */
export async function removeShimSockets(address: string, shims: readonly Shim[]): Promise<void> {
  if (shims.length === 0) return;
  const names = await readdir(SOCKETS).catch(() => []);
  const digests = shims.flatMap(({ namespace, id }) =>
    [join(address, namespace, id), join(`${address}.ttrpc`, namespace, id)].map((path) =>
      createHash('sha256').update(path).digest('hex'),
    ),
  );
  for (const name of names) {
    if (digests.some((digest) => name.startsWith(digest))) await rm(join(SOCKETS, name), { force: true });
  }
}

/** A cgroup is busy for a moment after its last process has been killed; milliseconds. */
const CGROUP_PATIENCE = 3_000;

/** Removes the cgroups `/NAMESPACE` and `/NAMESPACE/ID` that runc leaves where a container was killed. */
export async function removeCgroups(namespaces: readonly string[]): Promise<void> {
  const hierarchies = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, target]) => target ?? '');
  const deadline = Date.now() + CGROUP_PATIENCE;
  for (const hierarchy of hierarchies) {
    for (const namespace of namespaces) {
      const directory = join(hierarchy, namespace);
      while (!(await removeEmptyTree(directory)) && Date.now() < deadline) await sleep(50);
    }
  }
}

/**
 * rmdir from the bottom up; files of cgroupfs go with their directory. What is in use stays, and so do its parents:
 * then it returns false.
 */
async function removeEmptyTree(directory: string): Promise<boolean> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (entry.isDirectory()) await removeEmptyTree(join(directory, entry.name));
  }
  return rmdir(directory).then(
    () => true,
    (error: unknown) => errorCode(error) === 'ENOENT',
  );
}

function argument(commandLine: readonly string[], flag: string): string {
  const index = commandLine.indexOf(flag);
  return index < 0 ? '' : (commandLine[index + 1] ?? '');
}
