import { readdir, readlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Daemon } from '../harness/container-host';
import { overviewOf } from './counts';
import { readRows } from '../harness/database-rows';

/** What a daemon has that no container or image needs. */
export interface IdleCounts {
  /** Threads that rest until there is work again, if they are no more than there may be; else how many there are. */
  readonly resting: 'few' | number;
  /** Open descriptors and threads, by kind; without those of the threads that rest. */
  readonly descriptors: Readonly<Record<string, number>>;
  readonly threads: number;
  /** Everything in ROOT, STATE and the directory of the sockets, but for what is in directories of ROOT. */
  readonly files: readonly string[];
  readonly sharedInodes: number;
  readonly openFiles: number;
  readonly backingIds: number;
  readonly attachmentRows: number;
  readonly retiredDomains: number;
}

/**
 * Event loops: three of Node's own, that of the mounts, and of what rests two build threads, one that merges, and two of the
 * page cache for either thread that asks.
 */
const MOST_LOOPS = 11;
/** What each event loop of a thread has open (libuv), beside its epoll descriptor. */
const OF_A_LOOP = { 'anon_inode:[eventfd]': 1, pipe: 2 } as const;
const LOOP = 'anon_inode:[eventpoll]';

export async function idleCounts({ snapshotter }: Daemon): Promise<IdleCounts> {
  const { root, state, adminSocket, pid } = snapshotter;
  const { status } = await overviewOf(adminSocket);
  const rows = readRows(join(root, 'metadata.db'));
  const { [LOOP]: loops = 0, ...descriptors } = countBy(await descriptorsOf(pid));
  for (const [kind, count] of Object.entries(OF_A_LOOP))
    descriptors[kind] = (descriptors[kind] ?? 0) - count * loops;
  return {
    resting: loops <= MOST_LOOPS ? 'few' : loops,
    descriptors,
    threads: (await threadsOf(pid)) - loops,
    files: (await Promise.all([root, state, dirname(adminSocket)].map((path) => readdir(path))))
      .flat()
      .sort(),
    sharedInodes: status.dedup_inodes,
    openFiles: status.open_files,
    backingIds: status.backing_ids,
    attachmentRows: rows.attachments,
    retiredDomains: rows.retired,
  };
}

/** What descriptors lead to, without the numbers of inodes. One that is closed meanwhile is left out. */
async function descriptorsOf(pid: number): Promise<string[]> {
  const directory = `/proc/${pid}/fd`;
  const targets = (await readdir(directory)).map((name) => readlink(join(directory, name)).catch(() => ''));
  return (await Promise.all(targets))
    .map((target) => target.replace(/:\[\d+\]$/, ''))
    .filter((target) => target !== '');
}

async function threadsOf(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/task`)).length;
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of [...names].sort()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
