import path from 'node:path';
import { Worker } from 'node:worker_threads';
// The native library must be loaded in this thread too: were the verifier's its only user, it would be unloaded at that
// thread's end, before libuv has called it back for the last time.
import '../../linux/libc';
import type { VerifiedFile } from '../image-trust';
import type { Verdict, VerificationProgress, VerifiedBatch } from './verdict';
import type { FromVerifier, ToVerifier, VerifierTask } from './verifier-messages';

/** MiB of heap. Each inode takes some 50 bytes; an image that needs more cannot be verified. */
const HEAP_LIMIT = 256;

/** A thread that verifies one image. */
export class VerifierThread {
  readonly #worker: Worker;
  readonly #ended: Promise<Verdict | undefined>;
  readonly #verified: VerifiedFile[] = [];
  #verdict: Verdict | undefined;
  #stopping = false;
  #progress: VerificationProgress = { files: 0, bytes: 0 };

  constructor(
    readonly imagePath: string,
    onBatch: (batch: VerifiedBatch) => void,
  ) {
    const task: VerifierTask = { imagePath };
    this.#worker = new Worker(path.join(__dirname, 'verifier-entry.js'), {
      workerData: task,
      name: 'verifier',
      resourceLimits: { maxOldGenerationSizeMb: HEAP_LIMIT },
    });
    this.#worker.on('message', (message: FromVerifier) => {
      if (this.#stopping) return;
      if (message.kind === 'verdict') {
        this.#verdict = message.verdict;
        return;
      }
      this.#progress = message.progress;
      this.#verified.push(...message.verified);
      onBatch(message);
    });
    this.#ended = new Promise((resolve) => {
      let crash: Error | undefined;
      this.#worker.on('error', (error: Error) => (crash = error));
      this.#worker.on('exit', (code) => {
        const problem = crash?.message ?? `the thread ended with code ${code}`;
        resolve(this.#stopping ? undefined : (this.#verdict ?? { kind: 'failed', problem }));
      });
    });
  }

  /** Resolves when the thread has ended, with its verdict, or undefined where it was stopped. Never rejects. */
  get ended(): Promise<Verdict | undefined> {
    return this.#ended;
  }

  /** What has been verified. It grows, and is emptied when an image turns out to be forged. */
  get verified(): readonly VerifiedFile[] {
    return this.#verified;
  }

  get progress(): VerificationProgress {
    return this.#progress;
  }

  /** See `verified`. */
  distrust(): void {
    this.#verified.length = 0;
  }

  /**
   * Asks it to end, without a verdict. It is never terminated: in the middle of loading the native library, that would
   * take the process along.
   */
  stop(): void {
    this.#stopping = true;
    const message: ToVerifier = 'stop';
    this.#worker.postMessage(message);
  }
}
