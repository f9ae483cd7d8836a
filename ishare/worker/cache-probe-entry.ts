import { closeSync, constants, openSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { errorCode } from '../../linux/errno';
import { cachedPages } from '../../linux/page-cache';
import type { CacheProbeTask } from './cache-probe';

/**
 * Asks the kernel how much of each dedup inode it has cached. It opens files of our own mount and waits for the
 * answers of the thread that serves it, so it is a thread of its own and blocks nobody.
 */
const { ishareMount, files } = workerData as CacheProbeTask;
const pages = new Uint32Array(files.length);
for (const [index, { name, size }] of files.entries()) {
  let fd: number;
  try {
    fd = openSync(`/proc/self/fd/${ishareMount}/${name}`, constants.O_RDONLY);
  } catch (error) {
    // Its last image was detached a moment ago, so there is nothing to count.
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESTALE') continue;
    throw error;
  }
  try {
    pages[index] = cachedPages(fd, size);
  } finally {
    closeSync(fd);
  }
}
parentPort?.postMessage(pages, [pages.buffer]);
