import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { EncoderSettings } from './compression-options';
import { ContentWork, type ContentResult, type ContentTask } from './content-task';

/** Threads that hash and compress. */
export interface ContentCrew extends AsyncDisposable {
  /** Threads that work beside the calling one; 0: tasks are done on the calling thread. */
  readonly size: number;
  /**
   * Has a task done, by the thread of this number (modulo their count), else by the one with the least to do. Tasks of
   * one thread are done in the order in which they came. Rejects once a thread has failed.
   */
  run(task: ContentTask, thread?: number): Promise<ContentResult>;
}

/** @param size threads to be started. */
export function startCrew(size: number, settings: readonly EncoderSettings[]): ContentCrew {
  return size === 0 ? new LoneCrew(settings) : new ThreadCrew(size, settings);
}

class LoneCrew implements ContentCrew {
  readonly size = 0;
  readonly #work: ContentWork;

  constructor(settings: readonly EncoderSettings[]) {
    this.#work = new ContentWork(settings);
  }

  run(task: ContentTask): Promise<ContentResult> {
    return new Promise((resolve) => resolve(this.#work.perform(task)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#work[Symbol.dispose]();
    return Promise.resolve();
  }
}

class ThreadCrew implements ContentCrew {
  readonly #threads: readonly ContentThread[];

  constructor(
    readonly size: number,
    settings: readonly EncoderSettings[],
  ) {
    this.#threads = Array.from({ length: size }, () => new ContentThread(settings));
  }

  run(task: ContentTask, thread?: number): Promise<ContentResult> {
    const chosen =
      thread === undefined
        ? this.#threads.reduce((least, each) => (each.load < least.load ? each : least))
        : this.#threads[thread % this.size];
    if (chosen === undefined) throw new RangeError(`no thread ${thread}`);
    return chosen.run(task);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}

/** What a thread is started with. */
export interface ContentThreadData {
  readonly settings: readonly EncoderSettings[];
  /** Not 0: tasks that still wait are not wanted any more. */
  readonly stop: Int32Array;
}

interface Waiting {
  readonly weight: number;
  readonly resolve: (result: ContentResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Young generation of a thread's heap (MiB): what it works on is in shared memory, and collecting what is left costs nothing.
 */
const YOUNG_GENERATION = 2;

class ContentThread {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #waiting: Waiting[] = [];
  #failure: { readonly error: unknown } | undefined;
  /** Weight of all that waits. */
  load = 0;

  constructor(settings: readonly EncoderSettings[]) {
    const workerData: ContentThreadData = { settings, stop: this.#stop };
    this.#worker = new Worker(join(__dirname, 'content-thread-entry.js'), {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION },
    });
    this.#worker.on('message', (result: ContentResult) => {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.load -= next.weight;
      next.resolve(result);
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#fail(new Error(`a thread of the build ended with code ${code}`));
        resolve();
      });
    });
  }

  run(task: ContentTask): Promise<ContentResult> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure.error;
      const weight = weightOf(task);
      this.#waiting.push({ weight, resolve, reject });
      this.load += weight;
      this.#worker.postMessage(task);
    });
  }

  /**
   * Ends the thread once it is done with the task in hand. It is asked, never terminated: a thread that is terminated
   * while it loads koffi takes the whole process with it (napi_throw fails there, which is fatal).
   */
  async close(): Promise<void> {
    Atomics.store(this.#stop, 0, 1);
    this.#worker.postMessage('close');
    await this.#exited;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure.error);
  }
}

/** What a byte costs, roughly: hashing runs at some 1.5 GB/s, LZ4 at 400 MB/s, Zstandard at 30. */
const HASH_WEIGHT = 1;
const ENCODE_WEIGHT = 10;

function weightOf(task: ContentTask): number {
  switch (task.kind) {
    case 'hash':
      return task.length * HASH_WEIGHT;
    case 'pieces':
      return task.pieces.reduce(
        (total, { length, settings }) =>
          total + length * (settings === undefined ? HASH_WEIGHT : ENCODE_WEIGHT),
        0,
      );
  }
}
