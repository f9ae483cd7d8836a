import { mkdtemp, rm } from 'node:fs/promises';
import { readMountTable } from '../../linux/mount-table';
import { UMOUNT, unmount } from '../../linux/mount';

/**
 * A directory under /tmp, mode 0700, that is removed when it is disposed of. Its path is short on purpose: sockets in
 * it must fit the 108 bytes of sockaddr_un. Mounts that were left below it are detached first, since removing a tree
 * through a mount would delete somebody else's files.
 */
export class TemporaryDirectory implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async create(prefix = 'ishare'): Promise<TemporaryDirectory> {
    return new TemporaryDirectory(await mkdtemp(`/tmp/${prefix}-`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await detachMountsBelow(this.path);
    await rm(this.path, { recursive: true, force: true, maxRetries: 3 });
  }
}

/**
 * Detaches every mount at or below a directory, the topmost first, and returns how many there were. It touches no
 * mounted file system, so a mount whose server is dead does not hold it up.
 */
export async function detachMountsBelow(directory: string): Promise<number> {
  const targets = (await readMountTable())
    .map((entry) => entry.target)
    .filter((target) => target === directory || target.startsWith(`${directory}/`));
  for (const target of targets.reverse()) unmount(target, UMOUNT.DETACH | UMOUNT.NOFOLLOW);
  return targets.length;
}
