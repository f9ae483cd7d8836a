import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { DedupInodeState } from '../inventory';

export interface CacheProbeTask {
  readonly ishareMount: number;
  readonly files: readonly {
    /** Path in the ishare mount. */ readonly name: string;
    readonly size: number;
  }[];
}

/** The size of the kernel's pages on every machine that EROFS images of this project are read on. */
const PAGE_BYTES = 4096;

/** Bytes that the kernel's page cache holds of each dedup inode, in the order given. */
export async function probeCachedBytes(
  ishareMount: number,
  inodes: readonly DedupInodeState[],
): Promise<number[]> {
  if (inodes.length === 0) return [];
  const files = inodes.map(({ token, digest, size }) => ({ name: `${token}/${digest}`, size }));
  const task: CacheProbeTask = { ishareMount, files };
  // The thread ends with its task: it is asked for rarely, and an idle one would cost 9 MB.
  const worker = new Worker(path.join(__dirname, 'cache-probe-entry.js'), {
    workerData: task,
    name: 'cache-probe',
  });
  const pages = await new Promise<Uint32Array>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the cache probe ended with code ${code}`)));
  });
  return [...pages].map((count) => count * PAGE_BYTES);
}
