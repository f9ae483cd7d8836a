import { once } from 'node:events';
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
    const pages = await runTask(task);
    signal?.throwIfAborted();
    return [...pages].map((count) => count * PAGE_BYTES);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/**
 * How long a thread without work stays (ms); it costs some 9 MB. It must not end with each task: koffi frees nothing of
 * what it has made for a thread (InitModule of its 3.3.4 allocates an InstanceData that nobody deletes), and that is 23 KB
 * and three mappings, of which a process may have 65530 (vm.max_map_count).
 */
const IDLE_TIMEOUT = 600_000;

const idle: PageCacheThread[] = [];

async function runTask(task: PageCacheTask): Promise<Uint32Array> {
  const thread = idle.pop() ?? new PageCacheThread();
  const pages = await thread.perform(task);
  idle.push(thread);
  thread.rest(() => idle.splice(idle.indexOf(thread), 1));
  return pages;
}

/** A worker thread that does one task at a time. After a task that failed it is of no use. */
class PageCacheThread {
  readonly #worker = new Worker(path.join(__dirname, 'page-cache-entry.js'), {
    name: 'page-cache',
    // Node would warn of descriptors that it has not opened itself.
    trackUnmanagedFds: false,
  });
  #idle: NodeJS.Timeout | undefined;

  async perform(task: PageCacheTask): Promise<Uint32Array> {
    clearTimeout(this.#idle);
    this.#worker.ref();
    const ended = new AbortController();
    try {
      return await new Promise<Uint32Array>((resolve, reject) => {
        const until = { once: true, signal: ended.signal };
        void once(this.#worker, 'message', until).then(([pages]) => resolve(pages as Uint32Array), reject);
        void once(this.#worker, 'exit', until).then(
          ([code]) => reject(new Error(`the page cache thread ended with code ${String(code)}`)),
          reject,
        );
        this.#worker.postMessage(task);
      });
    } finally {
      ended.abort();
    }
  }

  /** Keeps no process alive, and ends the thread unless it gets work in time. */
  rest(onEnd: () => void): void {
    this.#worker.unref();
    this.#idle = setTimeout(() => {
      onEnd();
      void this.#worker.terminate();
    }, IDLE_TIMEOUT).unref();
  }
}
