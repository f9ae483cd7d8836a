import { CacheBudget } from '../erofs/cache-budget';
import { ErofsUsageError } from '../erofs/errors';
import { Decoding, ErofsImage } from '../erofs/image';
import { FuseDevice } from '../fuse/device';
import { mountFuse } from '../fuse/mount';
import { Session } from '../fuse/session';
import { errorCode } from '../linux/errno';
import { unmount, UMOUNT } from '../linux/mount';
import { readMountTable, type MountEntry } from '../linux/mount-table';
import { topmostMount } from '../linux/topmost-mount';
import { SINGLE_IMAGE_WISHES } from './fuse-wishes';
import { setReadAhead } from './read-ahead';
import { SingleImageFileSystem } from './single-image-file-system';

/** Not the daemon's name, so that the mounts of both are told apart. */
const NAME = 'ishare-erofs';
/** What the mount table shows as the type of a mounted image. */
export const IMAGE_MOUNT_TYPE = `fuse.${NAME}`;

export interface ImageMountOptions {
  /** Absolute path of the image. */
  readonly image: string;
  /** Absolute path of a directory, without symbolic links. */
  readonly directory: string;
  /** Extra devices, in the order of the image's table. */
  readonly devices: readonly string[];
  /** Whether others than root get in. */
  readonly allowOther: boolean;
  readonly readAheadKib: number;
  /** Memory for inodes, directories and tables (bytes). */
  readonly metadataCacheBytes: number;
  /** Memory for decoded pclusters (bytes). */
  readonly decodedCacheBytes: number;
  /** A request failed in a way that its client did not cause. */
  readonly onFault: (operation: string, error: unknown) => void;
}

/** `busy`: a file is open on it, a process stands in it, or something is mounted over it or below it. */
export type UnmountResult = 'unmounted' | 'busy';

/** `gone`: it was not in the tree any more. `covered`: something else is mounted over it, and both keep their places. */
export type DetachResult = 'detached' | 'gone' | 'covered';

/** How a mount came to its end: in order, or because its connection was aborted, which leaves it in place, dead. */
export type MountEnd = 'unmounted' | 'aborted';

/**
 * One image, mounted on a directory and served by this thread, which must not touch the mount itself. It serves for as
 * long as anybody can reach the mount, in whatever namespace and under whatever name.
 */
export class ImageMount implements AsyncDisposable {
  readonly #options: ImageMountOptions;
  readonly #image: ErofsImage;
  readonly #fuse: FuseDevice;
  readonly #session: Session;
  #served: Promise<void> = Promise.resolve();
  #entry: MountEntry | undefined;

  private constructor(options: ImageMountOptions, image: ErofsImage, fuse: FuseDevice) {
    this.#options = options;
    this.#image = image;
    this.#fuse = fuse;
    this.#session = new Session(fuse, new SingleImageFileSystem(image), SINGLE_IMAGE_WISHES, {
      onFault: options.onFault,
    });
  }

  /**
   * Opens an image, checks its superblock, root and devices, and mounts it. The mount answers when this resolves. Rejects with
   * ErofsError kinds, FuseUnavailableError, and errors of system calls; nothing stays mounted then.
   */
  static async start(options: ImageMountOptions): Promise<ImageMount> {
    const image = await ErofsImage.open(options.image, {
      budget: new CacheBudget(options.metadataCacheBytes),
      decoding: new Decoding(new CacheBudget(options.decodedCacheBytes)),
      devices: options.devices,
    });
    let mount: ImageMount | undefined;
    try {
      requireDevices(image);
      mount = new ImageMount(options, image, FuseDevice.open());
      await mount.#start();
      return mount;
    } catch (error) {
      await (mount ?? image)[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { image, directory, allowOther, readAheadKib } = this.#options;
    mountFuse(this.#fuse, directory, { name: NAME, source: image, allowOther });
    this.#served = this.#session.run();
    // Whoever waits for the end is told; until then nobody may be waiting.
    this.#served.catch(() => undefined);
    const entry = topmostMount(await readMountTable(), directory);
    if (entry?.type === IMAGE_MOUNT_TYPE) this.#entry = entry;
    await this.#session.negotiated;
    await this.#readAhead(readAheadKib);
  }

  /** In containers /sys is often read-only or missing; then the kernel's own value stays. */
  async #readAhead(kib: number): Promise<void> {
    try {
      await setReadAhead(this.device, kib);
    } catch (error) {
      const code = errorCode(error);
      if (code !== 'EROFS' && code !== 'ENOENT' && code !== 'EACCES') throw error;
    }
  }

  /** `major:minor`; the minor number is that of its connection in fusectl. */
  get device(): string {
    if (this.#entry === undefined) throw new Error(`${this.#options.directory}: not mounted`);
    return this.#entry.device;
  }

  /**
   * Resolves when nobody can reach the mount any more. A dead one, left by an abort, is taken away first. Rejects where
   * /dev/fuse fails.
   */
  async ended(): Promise<MountEnd> {
    await this.#served;
    return (await this.detach()) === 'gone' ? 'unmounted' : 'aborted';
  }

  /** Unmounts where nobody uses the mount. Those who use it elsewhere (bind mounts, namespaces) are served on. */
  async unmount(): Promise<UnmountResult> {
    const place = await this.#place();
    if (place === undefined) return 'unmounted';
    return place.covered ? 'busy' : this.#umount(place.target, 0);
  }

  /** Takes the mount out of the tree though it may be in use; those who use it are served until they are done. */
  async detach(): Promise<DetachResult> {
    const place = await this.#place();
    if (place === undefined) return 'gone';
    if (place.covered) return 'covered';
    this.#umount(place.target, UMOUNT.DETACH);
    return 'detached';
  }

  /** Where it is, which may be elsewhere after `mount --move`; undefined where it is in the tree no more. */
  async #place(): Promise<{ readonly target: string; readonly covered: boolean } | undefined> {
    const table = await readMountTable();
    const mine = table.find(({ id, device }) => id === this.#entry?.id && device === this.#entry.device);
    return mine && { target: mine.target, covered: topmostMount(table, mine.target) !== mine };
  }

  /** By a path that does not lead through this mount, so that this thread need not answer to itself. */
  #umount(directory: string, flags: number): UnmountResult {
    try {
      unmount(directory, flags | UMOUNT.NOFOLLOW);
      return 'unmounted';
    } catch (error) {
      switch (errorCode(error)) {
        case 'EBUSY':
          return 'busy';
        // Somebody else was faster.
        case 'EINVAL':
        case 'ENOENT':
          return 'unmounted';
        default:
          throw error;
      }
    }
  }

  /** Detaches the mount and stops serving: whoever still uses it gets errors. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.detach();
    this.#fuse.stop();
    // Its failure was reported to whoever waited for the end.
    await this.#served.catch(() => undefined);
    this.#fuse[Symbol.dispose]();
    await this.#image[Symbol.asyncDispose]();
  }
}

/** Without its devices it would be a tree of files that cannot be read. */
function requireDevices({ missingDevices, label }: ErofsImage): void {
  if (missingDevices === 0) return;
  throw new ErofsUsageError(
    { image: label, field: 'superblock.extraDevices' },
    'EINVAL',
    `the image wants ${missingDevices} devices, none is given`,
  );
}
