import { closeSync, constants, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { openCachedPath } from '../../linux/cached-path';
import type { Descriptor } from '../../linux/descriptor';
import { errorCode } from '../../linux/errno';
import { cachedPages, dropCachedPages } from '../../linux/page-cache';
import type { PageCacheTask } from './page-cache-task';

/** Bytes read at a time; what is read is thrown away. */
const PIECE = 1024 * 1024;
/** A walk through the cache of names gives up when somebody mounts or renames something meanwhile. */
const CACHED_WALKS = 3;

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
  const known = action === 'warm' ? undefined : knownFiles(ishareMount);
  for (const [index, { path, size }] of files.entries()) {
    if (Atomics.load(stop, 0) !== 0) break;
    const fd = known === undefined ? openAny(ishareMount, path) : known(path);
    if (fd === undefined) continue;
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

/**
 * Opens files whose names the kernel knows, without a request to this very program. The others have no pages, since the kernel
 * forgets the pages of a FUSE file with its name (drop_inode in fs/fuse/inode.c), and having their names would cost it memory.
 * Undefined before Linux 5.12, which cannot be asked for that.
 */
function knownFiles(ishareMount: number): ((path: string) => number | undefined) | undefined {
  using itself = walkCache(ishareMount, '.');
  if (itself === undefined) return undefined;
  return (path) => {
    using name = walkCache(ishareMount, path);
    // There is no OPEN on that mount, so this asks for nothing either.
    return name && openSync(`/proc/self/fd/${name.number}`, constants.O_RDONLY);
  };
}

function walkCache(ishareMount: number, path: string): Descriptor | undefined {
  for (let walk = 1; ; walk += 1) {
    const found = openCachedPath(ishareMount, path);
    if (found !== undefined || walk === CACHED_WALKS) return found;
  }
}

/** Undefined where its last image was detached a moment ago. */
function openAny(ishareMount: number, path: string): number | undefined {
  try {
    return openSync(`/proc/self/fd/${ishareMount}/${path}`, constants.O_RDONLY);
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESTALE') return undefined;
    throw error;
  }
}
