import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { formatBytes } from '../output';
import type { Finding } from './finding';
import { ifPresent, ifShown } from './present';

/** Below this the daemon's caches and what `cache warm` reads push each other out (bytes). */
const COMFORTABLE = 512 * 2 ** 20;

/** Where cgroups are mounted, and their file with the limit (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst). */
interface Hierarchy {
  readonly mount: string;
  readonly file: string;
}
const V2: Hierarchy = { mount: '/sys/fs/cgroup', file: 'memory.max' };
const V1: Hierarchy = { mount: '/sys/fs/cgroup/memory', file: 'memory.limit_in_bytes' };

/** The memory limit that a process is under. */
export interface MemoryLimit {
  readonly cgroup: string;
  readonly bytes: number;
}

/** The lowest limit of the process's cgroup and of those above it; undefined where there is none. */
export async function lookAtMemoryLimit(pid: number): Promise<MemoryLimit | undefined> {
  const text = await ifShown(readFile(`/proc/${pid}/cgroup`, 'utf8'));
  const limits: MemoryLimit[] = [];
  for (const { directory, mount, file } of memoryCgroups(text ?? '')) {
    for (const cgroup of withParents(directory)) {
      const limit = await ifPresent(readFile(path.join(mount, cgroup, file), 'utf8'));
      // "max" of version 2 is no number.
      const bytes = Number(limit ?? NaN);
      if (!Number.isNaN(bytes)) limits.push({ cgroup, bytes });
    }
  }
  return limits.sort((one, other) => one.bytes - other.bytes)[0];
}

/** Lines `N:controllers:/path` of /proc/PID/cgroup that may limit memory. */
export function memoryCgroups(text: string): (Hierarchy & { readonly directory: string })[] {
  return text.split('\n').flatMap((line) => {
    const [, controllers, directory] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || directory === undefined) return [];
    if (controllers === '') return [{ directory, ...V2 }];
    return controllers.split(',').includes('memory') ? [{ directory, ...V1 }] : [];
  });
}

function withParents(directory: string): string[] {
  return directory === '/' ? ['/'] : [directory, ...withParents(path.dirname(directory))];
}

export function memoryLimitFindings(limit: MemoryLimit | undefined): Finding[] {
  if (limit === undefined || limit.bytes >= COMFORTABLE) return [];
  return [
    {
      area: 'daemon',
      level: 'note',
      what: 'a low memory limit for the daemon',
      where: `cgroup ${limit.cgroup}`,
      why: `${formatBytes(limit.bytes)} hold its caches and all pages that it reads first`,
      remedy: `a limit of ${formatBytes(COMFORTABLE)} or more`,
    },
  ];
}
