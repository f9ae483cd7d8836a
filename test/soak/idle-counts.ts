import { readdir, readFile, readlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Daemon } from '../harness/container-host';
import { overviewOf } from './counts';
import { readRows } from '../harness/database-rows';

/** What a daemon has that no container or image needs. */
export interface IdleCounts {
  /** Open descriptors and threads, by kind. */
  readonly descriptors: Readonly<Record<string, number>>;
  readonly threads: Readonly<Record<string, number>>;
  /** Everything in ROOT, STATE and the directory of the sockets, but for what is in directories of ROOT. */
  readonly files: readonly string[];
  readonly sharedInodes: number;
  readonly openFiles: number;
  readonly backingIds: number;
  readonly attachmentRows: number;
  readonly retiredDomains: number;
}

export async function idleCounts({ snapshotter }: Daemon): Promise<IdleCounts> {
  const { root, state, adminSocket, pid } = snapshotter;
  const { status } = await overviewOf(adminSocket);
  const rows = readRows(join(root, 'metadata.db'));
  return {
    descriptors: countBy(await descriptorsOf(pid)),
    threads: countBy(await threadsOf(pid)),
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

async function threadsOf(pid: number): Promise<string[]> {
  const directory = `/proc/${pid}/task`;
  const names = (await readdir(directory)).map((name) =>
    readFile(join(directory, name, 'comm'), 'utf8').catch(() => ''),
  );
  return (await Promise.all(names)).map((name) => name.trim()).filter((name) => name !== '');
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of [...names].sort()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
