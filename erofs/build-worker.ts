import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { returnFreeMemory } from '../linux/free-memory';
import type { BuildOptions, BuildResult, CompressionOptions } from './build';
import { abortReason, BuildThread, ImageBuilderClosedError, type Job } from './build-thread';

export { BuildWorkerCrashedError, ImageBuilderClosedError } from './build-thread';

export interface ImageBuilderOptions {
  /** Images that are built at the same time; others wait their turn. */
  readonly concurrency: number;
  /** How long a thread without work stays (ms); it costs about 9 MB. */
  readonly idleTimeout?: number;
  /**
   * How old a thread becomes at least (ms), be it without work: koffi frees nothing of what it has made for a thread, some
   * 23 KB and three mappings, so a process that lives for long must not start one for each image.
   */
  readonly leastAge?: number;
  /** Heap of a thread (MiB), of which an entry of the source takes about 1 KiB; Node's default where not given. */
  readonly heapLimit?: number | undefined;
  /** For images whose options say nothing of it. */
  readonly compression?: CompressionOptions | undefined;
}

const IDLE_TIMEOUT = 5000;

/**
 * Young generation of a thread's heap (MiB). It is collected when it is full, and only then are buffers of a stream freed that
 * has passed by: they are many times as large as what stands for them in the heap.
 */
const YOUNG_GENERATION = 4;

/** What is to be built, and by whom somebody wants to be told of it. */
export interface BuildRequest extends BuildOptions {
  /** A thread has begun with it. */
  readonly onStart?: (() => void) | undefined;
}

/** Builds images in worker threads, which start when there is work. Threads without work keep no process alive. */
export class ImageBuilder implements AsyncDisposable {
  readonly #concurrency: number;
  readonly #life: { readonly idleTimeout: number; readonly leastAge: number };
  readonly #heapLimit: number | undefined;
  readonly #compression: CompressionOptions | undefined;
  readonly #waiting: Job[] = [];
  readonly #threads = new Set<BuildThread>();
  #closed = false;

  constructor({
    concurrency,
    idleTimeout = IDLE_TIMEOUT,
    leastAge = 0,
    heapLimit,
    compression,
  }: ImageBuilderOptions) {
    if (!Number.isInteger(concurrency) || concurrency < 1) throw new RangeError(`concurrency ${concurrency}`);
    this.#concurrency = concurrency;
    this.#life = { idleTimeout, leastAge };
    this.#heapLimit = heapLimit;
    this.#compression = compression;
  }

  /**
   * Like `buildImage`, with the same errors; besides, BuildWorkerCrashedError, and ImageBuilderClosedError once the
   * builder is disposed of. When it rejects, nothing is left of the image and the source is no longer read.
   */
  build(request: BuildRequest): Promise<BuildResult> {
    const options = { ...request, compression: request.compression ?? this.#compression };
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new ImageBuilderClosedError();
      options.signal?.throwIfAborted();
      const job: Job = {
        options,
        onStart: request.onStart,
        resolve,
        reject,
        unqueue: () => undefined,
      };
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(job), 1);
        job.reject(abortReason(options));
      };
      options.signal?.addEventListener('abort', onAbort, { once: true });
      job.unqueue = () => options.signal?.removeEventListener('abort', onAbort);
      this.#waiting.push(job);
      this.#dispatch();
    });
  }

  /** Whether a thread is there that waits for work: what is given to build now starts none. */
  get resting(): boolean {
    return [...this.#threads].some((thread) => thread.free);
  }

  /** Aborts what is being built, refuses what waits, and ends all threads. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const job of this.#waiting.splice(0)) {
      job.unqueue();
      job.reject(new ImageBuilderClosedError());
    }
    await Promise.all([...this.#threads].map((thread) => thread.close()));
  }

  #dispatch(): void {
    for (let job = this.#waiting[0]; job !== undefined; job = this.#waiting[0]) {
      const thread = this.#freeThread();
      if (thread === undefined) return;
      this.#waiting.shift();
      job.unqueue();
      thread.take(job);
      job.onStart?.();
    }
  }

  #freeThread(): BuildThread | undefined {
    for (const thread of this.#threads) if (thread.free) return thread;
    if (this.#threads.size >= this.#concurrency) return undefined;
    const thread: BuildThread = new BuildThread(
      this.#startWorker(),
      this.#life,
      () => this.#dispatch(),
      () => this.#tidy(),
      () => {
        this.#threads.delete(thread);
        this.#dispatch();
        this.#tidy();
      },
    );
    this.#threads.add(thread);
    return thread;
  }

  /** The C library keeps what threads have freed, some MB of each, and never comes to an end of it. */
  #tidy(): void {
    if ([...this.#threads].every((thread) => thread.free)) returnFreeMemory();
  }

  #startWorker(): Worker {
    const resourceLimits = {
      maxYoungGenerationSizeMb: YOUNG_GENERATION,
      ...(this.#heapLimit !== undefined && { maxOldGenerationSizeMb: this.#heapLimit }),
    };
    return new Worker(join(__dirname, 'build-worker-entry.js'), { resourceLimits });
  }
}
