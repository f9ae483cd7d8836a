import { randomBytes } from 'node:crypto';
import { readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Logger } from 'winston';
import { errorCode } from '../linux/errno';

/**
 * Deletes in the background, one tree at a time. Things are moved into the trash directory first, at once and whole,
 * so that what a crash leaves undeleted is found there at the next start.
 */
export class Trash {
  readonly #directory: string;
  readonly #logger: Logger;
  #work: Promise<void> = Promise.resolve();
  #closed = false;

  /** `directory` exists and is on the file system of whatever is thrown away. */
  constructor(directory: string, logger: Logger) {
    this.#directory = directory;
    this.#logger = logger;
  }

  /** Moves a file or tree away and deletes it later. What does not exist is thrown away already. */
  async discard(path: string): Promise<void> {
    const target = join(this.#directory, `${basename(path)}-${randomBytes(6).toString('hex')}`);
    try {
      await rename(path, target);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return;
      throw error;
    }
    this.#enqueue(target);
  }

  /** Deletes what an earlier process left in the trash directory. */
  async recover(): Promise<void> {
    for (const name of await readdir(this.#directory)) this.#enqueue(join(this.#directory, name));
  }

  /** Resolves once everything that was discarded before this call is deleted, or was given up on. */
  async drained(): Promise<void> {
    await this.#work;
  }

  /** Lets the deletion in progress end and leaves the rest for the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#work;
  }

  #enqueue(path: string): void {
    this.#work = this.#work.then(() => this.#delete(path));
  }

  async #delete(path: string): Promise<void> {
    if (this.#closed) return;
    try {
      await rm(path, { recursive: true, force: true });
    } catch (error) {
      // It stays in the trash, where Cleanup and the next start try again.
      this.#logger.warn('cannot delete from the trash', { path, error });
    }
  }
}
