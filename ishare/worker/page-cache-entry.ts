import { closeSync, constants, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { errorCode } from '../../linux/errno';
import { cachedPages, dropCachedPages } from '../../linux/page-cache';
import type { PageCacheTask } from './page-cache-task';

/** Bytes read at a time; what is read is thrown away. */
const PIECE = 1024 * 1024;

/**
 * Counts, drops or reads pages of dedup inodes, one task after another. It opens files of our own mount and waits for the
 * answers of the thread that serves it, so it is a thread of its own and blocks nobody. An error ends it.
 */
if (parentPort === null) throw new Error('this file is the entry of a worker thread');
const port = parentPort;

port.on('message', (task: PageCacheTask) => {
  const pages = perform(task);
  port.postMessage(pages, [pages.buffer]);
});

function perform({ action, ishareMount, files, stop }: PageCacheTask): Uint32Array<ArrayBuffer> {
  const pages = new Uint32Array(files.length);
  const piece = Buffer.alloc(action === 'warm' ? PIECE : 0);
  for (const [index, { path, size }] of files.entries()) {
    if (Atomics.load(stop, 0) !== 0) break;
    let fd: number;
    try {
      fd = openSync(`/proc/self/fd/${ishareMount}/${path}`, constants.O_RDONLY);
    } catch (error) {
      // Its last image was detached a moment ago, so there is nothing to count.
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESTALE') continue;
      throw error;
    }
    try {
      if (action === 'drop') dropCachedPages(fd);
      if (action === 'warm') while (readSync(fd, piece, 0, PIECE, null) > 0 && Atomics.load(stop, 0) === 0);
      pages[index] = cachedPages(fd, size);
    } finally {
      closeSync(fd);
    }
  }
  return pages;
}
