import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { temporaryImageName, type BuildOptions, type BuildResult } from './build';
import { unpackError, type BuildOrder, type FromWorker, type ToWorker } from './build-messages';

/** The thread that built an image ended before the image did; `cause` says why where that is known. */
export class BuildWorkerCrashedError extends Error {
  override readonly name = 'BuildWorkerCrashedError';
  readonly code = 'ERR_EROFS_BUILD_WORKER_CRASHED';
}

/** The builder was closed before the image was built. */
export class ImageBuilderClosedError extends Error {
  override readonly name = 'ImageBuilderClosedError';
  readonly code = 'ERR_EROFS_IMAGE_BUILDER_CLOSED';

  constructor() {
    super('the image builder is closed');
  }
}

/** A build that somebody waits for. */
export interface Job {
  readonly options: BuildOptions;
  readonly onStart: (() => void) | undefined;
  readonly resolve: (result: BuildResult) => void;
  readonly reject: (error: unknown) => void;
  /** Ends the wait for an abort in the queue. */
  unqueue: () => void;
}

/** A job that a thread has. */
interface RunningJob extends Job {
  /** Paths of the unfinished image, and of its digest table. */
  readonly unfinished: readonly string[];
  /** Ends the wait for an abort. */
  readonly release: () => void;
}

/** A worker thread and the job it has, if any. */
export class BuildThread {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #born = performance.now();
  #job: RunningJob | undefined;
  #idle: NodeJS.Timeout | undefined;
  #ending = false;
  #failure: unknown;

  constructor(
    worker: Worker,
    /** How long it stays without work, and how old it becomes at least (ms). */
    private readonly life: { readonly idleTimeout: number; readonly leastAge: number },
    private readonly onFree: () => void,
    /** It has had no work for a while, and stays. */
    private readonly onRest: () => void,
    private readonly onExit: () => void,
  ) {
    this.#worker = worker;
    this.#worker.on('message', (message: FromWorker) => this.#receive(message));
    this.#worker.on('error', (error) => (this.#failure = error));
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        void this.#bury(code).then(resolve);
      });
    });
  }

  get free(): boolean {
    return this.#job === undefined && !this.#ending;
  }

  take(job: Job): void {
    clearTimeout(this.#idle);
    this.#worker.ref();
    const { source, target, fingerprintXattr, compression, threads, digests, signal } = job.options;
    const temporary = job.options.temporary ?? temporaryImageName(target);
    const unfinished = [join(dirname(target), temporary)];
    let { digestsTemporary } = job.options;
    if (digests !== undefined) {
      digestsTemporary ??= temporaryImageName(digests);
      unfinished.push(join(dirname(digests), digestsTemporary));
    }
    const abort = (): void => this.#send({ kind: 'abort' });
    signal?.addEventListener('abort', abort, { once: true });
    this.#job = {
      ...job,
      unfinished,
      release: () => signal?.removeEventListener('abort', abort),
    };
    const made = { source, target, temporary, digests, digestsTemporary };
    const order: BuildOrder = { ...made, fingerprintXattr, compression, threads };
    this.#send({ kind: 'build', order });
  }

  /** Aborts the job in hand and ends the thread. */
  async close(): Promise<void> {
    this.#ending = true;
    clearTimeout(this.#idle);
    if (this.#job === undefined) await this.#worker.terminate();
    else this.#send({ kind: 'abort' });
    await this.#exited;
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromWorker): void {
    const job = this.#job;
    if (job === undefined) return;
    switch (message.kind) {
      case 'progress':
        job.options.onProgress?.(message.progress);
        return;
      case 'done':
        job.resolve(message.result);
        break;
      case 'failed':
        job.reject(this.#reasonOfFailure(job, message));
        break;
    }
    this.#release(job);
    if (this.#ending) {
      // Its end is awaited through the exit event.
      void this.#worker.terminate();
      return;
    }
    this.#rest();
    this.onFree();
  }

  /** An abort's reason stays in this thread: the worker only knows that there was one. */
  #reasonOfFailure(job: Job, message: FromWorker & { kind: 'failed' }): unknown {
    if (message.error.className !== 'DOMException') return unpackError(message.error);
    return job.options.signal?.aborted === true ? abortReason(job.options) : new ImageBuilderClosedError();
  }

  #release(job: RunningJob): void {
    job.release();
    this.#job = undefined;
  }

  #rest(): void {
    this.#worker.unref();
    const { idleTimeout, leastAge } = this.life;
    const age = performance.now() - this.#born;
    const end = (): void => {
      this.#ending = true;
      void this.#worker.terminate();
    };
    this.#idle = setTimeout(() => {
      if (age + idleTimeout >= leastAge) {
        end();
        return;
      }
      this.onRest();
      this.#idle = setTimeout(end, leastAge - age - idleTimeout).unref();
    }, idleTimeout).unref();
  }

  async #bury(exitCode: number): Promise<void> {
    this.#ending = true;
    clearTimeout(this.#idle);
    const job = this.#job;
    if (job !== undefined) {
      this.#release(job);
      const crash = new BuildWorkerCrashedError(
        `${job.options.target}: the thread that built it ended with code ${exitCode}`,
        { cause: this.#failure },
      );
      try {
        for (const path of job.unfinished) await rm(path, { force: true });
        job.reject(crash);
      } catch (error) {
        job.reject(new AggregateError([crash, error], `${crash.message}, and what is unfinished stays`));
      }
    }
    this.onExit();
  }
}

/** What a build rejects with when its signal is aborted. */
export function abortReason({ signal }: BuildOptions): unknown {
  return signal?.reason ?? new Error('aborted');
}
