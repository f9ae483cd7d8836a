import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { DedupFile, PageCacheAction, PageCacheTask } from './page-cache-task';

/** The size of the kernel's pages on every machine that EROFS images of this project are read on. */
const PAGE_BYTES = 4096;

/**
 * Does something with the pages of dedup inodes, and resolves to the bytes that the kernel's page cache holds of each
 * afterwards, in the order given. An aborted signal ends it early, with 0 for the rest; it rejects with the reason.
 */
export async function withPageCache(
  action: PageCacheAction,
  ishareMount: number,
  files: readonly DedupFile[],
  signal?: AbortSignal,
): Promise<number[]> {
  signal?.throwIfAborted();
  if (files.length === 0) return [];
  const stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const task: PageCacheTask = { action, ishareMount, files, stop };
  const onAbort = (): void => void Atomics.store(stop, 0, 1);
  signal?.addEventListener('abort', onAbort);
  try {
    const pages = await runThread(task);
    signal?.throwIfAborted();
    return [...pages].map((count) => count * PAGE_BYTES);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** The thread ends with its task: it is asked for rarely, and an idle one would cost 9 MB. */
async function runThread(task: PageCacheTask): Promise<Uint32Array> {
  const worker = new Worker(path.join(__dirname, 'page-cache-entry.js'), {
    workerData: task,
    name: 'page-cache',
  });
  return await new Promise<Uint32Array>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the page cache thread ended with code ${code}`)));
  });
}
