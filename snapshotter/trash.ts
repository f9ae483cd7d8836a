import { randomBytes } from 'node:crypto';
import { lstat, readdir, rename, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Logger } from 'winston';
import { errorCode } from '../linux/errno';
import { deleteTree } from './delete-tree';
import { orGone } from './or-gone';

/** Where something in the trash is mounted, which its name says it was called before; undefined: nowhere. */
export type MountOf = (path: string, name: string) => Promise<string | undefined>;

const SUFFIX_BYTES = 6;

/**
 * Deletes in the background, one tree at a time. Things are moved into the trash directory first, at once and whole,
 * so that what a crash leaves undeleted is found there at the next start. What is mounted stays until recover() finds that
 * it is no longer.
 */
export class Trash {
  readonly #directory: string;
  readonly #logger: Logger;
  readonly #mountOf: MountOf;
  /** What waits for its deletion, or is being deleted. */
  readonly #queued = new Set<string>();
  /** Those of them that were asked for once more. */
  readonly #again = new Set<string>();
  #work: Promise<void> = Promise.resolve();
  #closed = false;

  /** `directory` exists and is on the file system of whatever is thrown away. */
  constructor(directory: string, logger: Logger, mountOf: MountOf = () => Promise.resolve(undefined)) {
    this.#mountOf = mountOf;
    this.#directory = directory;
    this.#logger = logger;
  }

  /** Moves a file or tree away and deletes it later. What does not exist is thrown away already. */
  async discard(path: string): Promise<void> {
    const target = join(this.#directory, `${basename(path)}-${randomBytes(SUFFIX_BYTES).toString('hex')}`);
    try {
      await rename(path, target);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return;
      throw error;
    }
    this.#enqueue(target);
  }

  /** Deletes what is in the trash directory: an earlier process left it, or it was mounted. */
  async recover(): Promise<void> {
    for (const name of await readdir(this.#directory)) this.#enqueue(join(this.#directory, name));
  }

  /** Resolves once everything that was discarded before this call is deleted, or was given up on. */
  async drained(): Promise<void> {
    // What was looked at too early is looked at once more.
    for (let work; work !== this.#work;) await (work = this.#work);
  }

  /** Lets the deletion in progress end and leaves the rest for the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#work;
  }

  #enqueue(path: string): void {
    if (this.#queued.has(path)) {
      this.#again.add(path);
      return;
    }
    this.#queued.add(path);
    this.#work = this.#work.then(async () => {
      this.#again.delete(path);
      const stays = !(await this.#delete(path));
      this.#queued.delete(path);
      // It may have been unmounted while this was under way.
      if (this.#again.delete(path) && stays) this.#enqueue(path);
    });
  }

  /** Resolves to whether it is gone. */
  async #delete(path: string): Promise<boolean> {
    if (this.#closed) return false;
    try {
      const place = await this.#mountOf(path, basename(path).slice(0, -(2 * SUFFIX_BYTES + 1)));
      if (place !== undefined) {
        this.#logger.info('what was removed is deleted once it is unmounted', { path, place });
        return false;
      }
      const found = await orGone(lstat(path), undefined);
      if (found?.isDirectory() === true) await deleteTree(path);
      else if (found !== undefined) await unlink(path);
      return true;
    } catch (error) {
      // It stays in the trash, where Cleanup and the next start try again.
      this.#logger.warn('cannot delete from the trash', { path, error });
      return false;
    }
  }
}
