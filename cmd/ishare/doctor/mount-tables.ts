import { readdir, readFile, readlink } from 'node:fs/promises';
import { errorCode } from '../../../linux/errno';
import { parseMountTable, readMountTable, type MountEntry } from '../../../linux/mount-table';
import { ifShown } from './present';

/** The mounts of this machine, as far as processes of this pid namespace see them. */
export interface MountTables {
  /** Of this process. */
  readonly own: readonly MountEntry[];
  /** Of every other mount namespace; a container has one for itself. */
  readonly others: readonly (readonly MountEntry[])[];
}

/** Reads the table of one process of each mount namespace. No mounted file system is touched. */
export async function readMountTables(): Promise<MountTables> {
  const seen = new Set([await readlink('/proc/self/ns/mnt')]);
  const others: MountEntry[][] = [];
  for (const pid of await processNumbers()) {
    const namespace = await ifShown(readlink(`/proc/${pid}/ns/mnt`));
    if (namespace === undefined || seen.has(namespace)) continue;
    const text = await readTable(pid);
    if (text === undefined) continue;
    seen.add(namespace);
    others.push(parseMountTable(text));
  }
  return { own: await readMountTable(), others };
}

/** Numbers of all processes. */
export async function processNumbers(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** A process that has ended and is not waited for has no mounts any more: EINVAL (fs/proc_namespace.c, mounts_open_common()). */
async function readTable(pid: number): Promise<string | undefined> {
  try {
    return await ifShown(readFile(`/proc/${pid}/mountinfo`, 'utf8'));
  } catch (error) {
    if (errorCode(error) === 'EINVAL') return undefined;
    throw error;
  }
}
