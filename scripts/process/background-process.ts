import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { WatchedProcess } from '../../linux/process-end';

export interface BackgroundProcessOptions {
  readonly program: string;
  readonly arguments: readonly string[];
  /** File that receives stdout and stderr; appended to. */
  readonly logFile: string;
  readonly directory?: string;
  /** Added to this process's own environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A program that should be running and is not. The end of its log is part of the message. */
export class BackgroundProcessError extends Error {
  override readonly name = 'BackgroundProcessError';
}

/**
 * A long-running program in a session of its own, so that Ctrl-C on the terminal does not reach it: whoever started
 * it ends it. Its output goes to a file.
 */
export class BackgroundProcess {
  readonly #child: ChildProcess;
  readonly #label: string;
  readonly #exited: Promise<void>;
  #startError: unknown;

  private constructor(
    child: ChildProcess,
    readonly logFile: string,
    label: string,
  ) {
    this.#child = child;
    this.#label = label;
    this.#exited = new Promise((resolve) => {
      child.once('exit', () => {
        resolve();
      });
      child.once('error', (error) => {
        this.#startError = error;
        resolve();
      });
    });
  }

  static start(options: BackgroundProcessOptions): BackgroundProcess {
    const log = openSync(options.logFile, 'a', 0o600);
    try {
      const child = spawn(options.program, options.arguments, {
        cwd: options.directory,
        env: { ...process.env, ...options.environment },
        stdio: ['ignore', log, log],
        detached: true,
      });
      return new BackgroundProcess(child, options.logFile, options.program);
    } finally {
      closeSync(log);
    }
  }

  /** Throws where the program could not be started at all. */
  get pid(): number {
    if (this.#child.pid === undefined) {
      throw new BackgroundProcessError(`${this.#label} was not started`, { cause: this.#startError });
    }
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Exit code, or undefined while it runs and when a signal ended it. */
  get exitCode(): number | undefined {
    return this.#child.exitCode ?? undefined;
  }

  /**
   * Asks `ready` again and again until it says true.
   *
   * @throws BackgroundProcessError when the program ends before that or `timeLimit` milliseconds pass.
   */
  async waitUntil(
    ready: () => Promise<boolean>,
    what: string,
    timeLimit: number,
    signal?: AbortSignal,
  ): Promise<void> {
    const deadline = Date.now() + timeLimit;
    for (;;) {
      signal?.throwIfAborted();
      // The state comes first: a program that answers and ends at once is not ready.
      const alive = this.running;
      if (alive && (await ready())) return;
      if (!alive || Date.now() >= deadline) {
        const reason = alive ? `not ready (${what}) after ${timeLimit / 1000} s` : this.#endedHow();
        throw new BackgroundProcessError(`${this.#label}: ${reason}${await this.#logEnd()}`, {
          cause: this.#startError,
        });
      }
      await sleep(20);
    }
  }

  /**
   * Waits until a program that was killed has ended, or would have but for threads in calls that cannot be interrupted: it does
   * nothing any more then, but to its parent it has not ended. False when `timeLimit` milliseconds pass first.
   */
  async waitForDeath(timeLimit: number): Promise<boolean> {
    const deadline = Date.now() + timeLimit;
    while (this.running && (await WatchedProcess.find(this.pid)) !== undefined) {
      if (Date.now() >= deadline) return false;
      await sleep(5);
    }
    return true;
  }

  /** Waits for the end of the program; false when `timeLimit` milliseconds pass first. */
  async waitForExit(timeLimit: number): Promise<boolean> {
    if (!this.running) return true;
    const timer = new AbortController();
    try {
      const late = sleep(timeLimit, 'late' as const, { signal: timer.signal }).catch(() => 'late' as const);
      return (await Promise.race([this.#exited.then(() => 'gone' as const), late])) === 'gone';
    } finally {
      timer.abort();
    }
  }

  signal(name: NodeJS.Signals): void {
    if (this.running) this.#child.kill(name);
  }

  /** SIGTERM, then after `patience` milliseconds SIGKILL. Returns true when the first was enough. */
  async stop(patience: number): Promise<boolean> {
    if (!this.running) return true;
    this.signal('SIGTERM');
    if (await this.waitForExit(patience)) return true;
    this.signal('SIGKILL');
    // A process that hangs in an uninterruptible call cannot be waited for without limit.
    if (!(await this.waitForExit(10_000))) {
      throw new BackgroundProcessError(
        `${this.#label} (pid ${this.pid}) outlives SIGKILL${await this.#logEnd()}`,
      );
    }
    return false;
  }

  #endedHow(): string {
    if (this.#startError !== undefined) return 'could not be started';
    const { exitCode, signalCode } = this.#child;
    return signalCode === null ? `ended with ${exitCode ?? 'no code'}` : `ended by ${signalCode}`;
  }

  async #logEnd(): Promise<string> {
    const log = await readFile(this.logFile, 'utf8').catch(() => '');
    const lines = log.trimEnd().split('\n').slice(-12).join('\n');
    return lines === '' ? '' : `\n${lines}`;
  }
}
