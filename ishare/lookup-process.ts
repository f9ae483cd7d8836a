import { spawn, type ChildProcess } from 'node:child_process';
import type { Descriptor } from '../linux/descriptor';
import { errorCode } from '../linux/errno';
import { makeRealtime } from '../linux/realtime';

/** Descriptor of the ishare mount in the process. */
const MOUNT = 3;
/** Asks for each path that it reads, and answers each with an empty line. `[` is part of the shell: no program is started. */
const SCRIPT = `while read -r path; do [ -e "/proc/self/fd/${MOUNT}/$path" ]; echo; done`;
const LINE_FEED = 10;
/** A process whose LOOKUP is never answered cannot be ended; it ends by itself when its mount does (ms). */
const PATIENCE_MS = 1_000;

export interface LookupProcessOptions {
  /** Whether it is to run before ordinary processes, as who waits for it does. */
  readonly realtime: boolean;
  /** It cannot be started, or has ended unasked. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * A process that asks the ishare mount for names, so that the kernel has them in its cache. This program serves that mount: were it to
 * ask itself, and be killed between reading its own LOOKUP and answering it, the thread that waits for the answer would keep it
 * from ending, and the next daemon from starting. This process may wait: the next daemon answers it, and then it ends, since
 * its input has.
 */
export class LookupProcess implements AsyncDisposable {
  readonly #mount: Descriptor;
  readonly #options: LookupProcessOptions;
  readonly #asked: ((known: boolean) => void)[] = [];
  #child: ChildProcess | undefined;
  #ending = false;
  /** There is no shell: nobody tries again and again. */
  #impossible = false;

  constructor(mount: Descriptor, options: LookupProcessOptions) {
    this.#mount = mount;
    this.#options = options;
  }

  /** Starts the process, so that the first question does not wait for that. */
  begin(): void {
    this.#running();
  }

  /**
   * Resolves once the kernel has asked for a path below the mount, whether it is there or not; with false where nobody could ask.
   * A path of tokens and digests only: nothing in it is special to a shell.
   */
  ask(path: string): Promise<boolean> {
    const stdin = this.#impossible ? null : this.#running().stdin;
    if (stdin === null) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#asked.push(resolve);
      stdin.write(`${path}\n`);
    });
  }

  #running(): ChildProcess {
    if (this.#child !== undefined) return this.#child;
    const child = spawn('/bin/sh', ['-c', SCRIPT], {
      argv0: 'ishare-lookup',
      cwd: '/',
      env: {},
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore', this.#mount.number],
    });
    this.#child = child;
    const failed = (error: unknown): void => {
      if (this.#child !== child) return;
      this.#child = undefined;
      for (const answer of this.#asked.splice(0)) answer(false);
      if (!this.#ending) this.#options.onFailure(error);
    };
    child.once('error', (error) => {
      this.#impossible = child.pid === undefined;
      failed(error);
    });
    child.once('exit', (code, signal) => failed(new Error(`ended with ${signal ?? code ?? 'no code'}`)));
    // Told by the end of the process too.
    child.stdin?.on('error', () => undefined);
    child.stdout?.on('data', (answers: Buffer) => {
      for (const byte of answers) if (byte === LINE_FEED) this.#asked.shift()?.(true);
    });
    if (this.#options.realtime) this.#hurry(child);
    return child;
  }

  #hurry({ pid }: ChildProcess): void {
    if (pid === undefined) return;
    try {
      makeRealtime(pid);
    } catch (error) {
      // Of the thread that waits for it the same has been told.
      if (errorCode(error) !== 'EPERM') this.#options.onFailure(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true;
    const child = this.#child;
    if (child === undefined) return;
    child.stdin?.end();
    await new Promise<void>((resolve) => {
      const limit = setTimeout(resolve, PATIENCE_MS);
      child.once('exit', () => {
        clearTimeout(limit);
        resolve();
      });
    });
  }
}
