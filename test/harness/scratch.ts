import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readMountTable } from '../../linux/mount-table';
import { UMOUNT, unmount } from '../../linux/mount';

/** A directory for one test. Disposing unmounts what is mounted below it and deletes it. */
export class Scratch implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async make(): Promise<Scratch> {
    return new Scratch(await mkdtemp(join(tmpdir(), 'ishare-test-')));
  }

  in(...names: string[]): string {
    return join(this.path, ...names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const targets = (await readMountTable()).map(({ target }) => target);
    // The table lists later mounts last; they may lie on earlier ones.
    for (const target of targets.reverse()) {
      if (target.startsWith(`${this.path}/`)) unmount(target, UMOUNT.DETACH);
    }
    await rm(this.path, { recursive: true, force: true });
  }
}
