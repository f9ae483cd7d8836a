import { mkdtemp, rmdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Descriptor } from '../../linux/descriptor';
import { errorCode } from '../../linux/errno';
import { unmount, UMOUNT } from '../../linux/mount';
import { readMountTable } from '../../linux/mount-table';
import { FuseDevice } from '../device';
import type { FileSystem } from '../file-system';
import { mountFuse, mountFuseDetached } from '../mount';
import type { Wishes } from '../negotiation';
import { Session } from '../session';

export const MOUNT_NAME = 'fusetest';

export const CACHING: Wishes = {
  capabilities: [
    'ASYNC_READ',
    'DO_READDIRPLUS',
    'READDIRPLUS_AUTO',
    'PARALLEL_DIROPS',
    'MAX_PAGES',
    'CACHE_SYMLINKS',
    'NO_OPENDIR_SUPPORT',
    'NO_OPEN_SUPPORT',
    'EXPLICIT_INVAL_DATA',
  ],
  maxPages: 256,
  maxStackDepth: 0,
  maxBackground: 16,
};

export const PASSING_THROUGH: Wishes = {
  ...CACHING,
  capabilities: [...CACHING.capabilities, 'PASSTHROUGH'],
  maxStackDepth: 1,
};

/** So long (ms) a connection may take to end by itself. */
const GRACE_MS = 2_000;

/** A file system served from this thread on a real mount. Disposing of it always ends the mount, by force if need be. */
export class ServedMount implements AsyncDisposable {
  readonly device = FuseDevice.open();
  readonly session: Session;
  /** What onFault was told. */
  readonly faults: { readonly operation: string; readonly error: unknown }[] = [];
  #mount: Descriptor | undefined;
  #target: string | undefined;
  #minor: number | undefined;
  #ran: Promise<void> | undefined;

  private constructor(fileSystem: FileSystem, wishes: Wishes) {
    this.session = new Session(this.device, fileSystem, wishes, {
      onFault: (operation, error) => this.faults.push({ operation, error }),
    });
  }

  /** On a fresh directory. */
  static async attached(fileSystem: FileSystem, wishes = CACHING): Promise<ServedMount> {
    const served = new ServedMount(fileSystem, wishes);
    const target = await mkdtemp(path.join(tmpdir(), 'fuse-mount-'));
    try {
      served.#target = target;
      mountFuse(served.device, target, { name: MOUNT_NAME });
      const entry = (await readMountTable()).find((mounted) => mounted.target === target);
      served.#minor = Number(entry?.device.split(':')[1]);
      await served.#start();
      return served;
    } catch (error) {
      await served[Symbol.asyncDispose]();
      throw error;
    }
  }

  static async detached(fileSystem: FileSystem, wishes = CACHING): Promise<ServedMount> {
    const served = new ServedMount(fileSystem, wishes);
    try {
      served.#mount = mountFuseDetached(served.device, { name: MOUNT_NAME });
      await served.#start();
      // This costs a request for the root's attributes; the mount is in no table that could be asked instead.
      const { dev } = await stat(served.root);
      served.#minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
      return served;
    } catch (error) {
      await served[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Path of the root directory, good for this process and, where attached, for its children. */
  get root(): string {
    if (this.#target !== undefined) return this.#target;
    if (this.#mount === undefined) throw new Error('not mounted');
    return `/proc/${process.pid}/fd/${this.#mount.number}`;
  }

  /** Settles when Session.run() does. */
  get ran(): Promise<void> {
    if (this.#ran === undefined) throw new Error('not running');
    return this.#ran;
  }

  /** The connection's name in the control file system. */
  get minor(): number {
    if (this.#minor === undefined) throw new Error('not mounted');
    return this.#minor;
  }

  /** Requests of one operation so far. */
  count(operation: string): number {
    return this.session.counts()[operation] ?? 0;
  }

  /** Requests that came while `work` ran, by operation. */
  async requestsOf(work: () => Promise<unknown>): Promise<Record<string, number>> {
    const before = this.session.counts();
    await work();
    const changes = Object.entries(this.session.counts()).map(
      ([operation, count]) => [operation, count - (before[operation] ?? 0)] as const,
    );
    return Object.fromEntries(changes.filter(([, change]) => change > 0));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#target !== undefined) {
      try {
        unmount(this.#target, UMOUNT.DETACH);
      } catch (error) {
        // It was never mounted, or the test unmounted it itself.
        if (errorCode(error) !== 'EINVAL') throw error;
      }
    }
    this.#mount?.[Symbol.dispose]();
    await this.#end();
    this.device[Symbol.dispose]();
    if (this.#target !== undefined) await rmdir(this.#target);
    this.#target = undefined;
    this.#mount = undefined;
    this.#ran = undefined;
  }

  async #start(): Promise<void> {
    this.#ran = this.session.run();
    await this.session.negotiated;
  }

  async #end(): Promise<void> {
    if (this.#ran === undefined) return;
    const ended = this.#ran.then(() => true);
    await settles(ended);
    this.device.stop();
    // A test that failed may have left a request without an answer for ever. The end of the device is that of its connection; by its
    // number another one might be aborted, since numbers come again as soon as a mount is gone.
    await settles(ended);
  }
}

/** False when it takes longer than the time of grace. */
async function settles(ended: Promise<boolean>): Promise<boolean> {
  const patience = new AbortController();
  const late = delay(GRACE_MS, false, { signal: patience.signal }).catch(() => false);
  const settled = await Promise.race([ended, late]);
  patience.abort();
  return settled;
}
