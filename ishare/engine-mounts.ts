import { stat } from 'node:fs/promises';
import { FuseDevice } from '../fuse/device';
import type { FileSystem } from '../fuse/file-system';
import { mountFuse, mountFuseDetached } from '../fuse/mount';
import type { Negotiated } from '../fuse/negotiation';
import { Session, type PendingWatch, type SessionEvents } from '../fuse/session';
import type { Descriptor } from '../linux/descriptor';
import { errorCode } from '../linux/errno';
import { unmount, UMOUNT } from '../linux/mount';
import { IMAGES_WISHES, ISHARE_WISHES } from './fuse-wishes';
import { setReadAhead } from './read-ahead';
import { clearStaleMounts } from './stale-mounts';
import type { HolderIdentity } from './takeover/holder';
import { HolderWatch } from './takeover/holder-watch';
import { inherit, type Inheritance } from './takeover/inheritance';
import { TakeoverJournal } from './takeover/journal';
import { journalPath, removeTakeoverState, writeTakeoverState } from './takeover/takeover-state';

/** First column of the mount table, and the type behind `fuse.`. */
export const MOUNT_NAME = 'ishare';
export const MOUNT_TYPE = `fuse.${MOUNT_NAME}`;

export interface MountOptions {
  /** Where the images mount goes: an existing directory. What an earlier daemon left mounted on it is taken over. */
  readonly imagesDirectory: string;
  /** Where the next daemon looks for what it may take over. */
  readonly takeoverDirectory: string;
  /** Version of this program. */
  readonly program: string;
  /** Read-ahead of both mounts in KiB. */
  readonly readAheadKib: number;
}

export interface MountEvents extends Omit<SessionEvents, 'pending'> {
  /** Told of the requests of each mount that are under way. */
  readonly pending: { readonly images: PendingWatch; readonly ishare: PendingWatch };
  /** A mount went away unasked. */
  onLost(error: Error): void;
  /** Something that an operator should know. */
  onWarning(message: string, details: Record<string, string | number>): void;
}

/** What serves the two mounts. */
export interface MountFileSystems {
  readonly images: FileSystem;
  readonly ishare: FileSystem;
}

/**
 * The two FUSE connections: made anew, or taken over from a daemon that ended without unmounting. A holder process keeps
 * them alive beyond the end of this one, and a journal says what the next one must know.
 */
export class EngineMounts {
  readonly imagesSession: Session;
  readonly ishareSession: Session;
  readonly journal: TakeoverJournal;
  readonly ishareMount: Descriptor;
  /** Whether an earlier daemon's mounts go on. They are not served before serve(). */
  readonly takenOver: boolean;
  readonly #options: MountOptions;
  readonly #events: MountEvents;
  readonly #imagesDevice: FuseDevice;
  readonly #ishareDevice: FuseDevice;
  #imagesServed: Promise<void> | undefined;
  #ishareServed: Promise<void> | undefined;
  #holder: HolderWatch | undefined;
  #stopping = false;

  private constructor(
    options: MountOptions,
    events: MountEvents,
    fileSystems: MountFileSystems,
    parts: Parts,
  ) {
    this.#options = options;
    this.#events = events;
    this.#imagesDevice = parts.imagesDevice;
    this.#ishareDevice = parts.ishareDevice;
    this.ishareMount = parts.ishareMount;
    this.journal = parts.journal;
    this.takenOver = parts.takenOver;
    const onFault = (operation: string, error: unknown): void => events.onFault(operation, error);
    const { images, ishare } = events.pending;
    this.imagesSession = new Session(parts.imagesDevice, fileSystems.images, IMAGES_WISHES, {
      onFault,
      pending: images,
    });
    this.ishareSession = new Session(parts.ishareDevice, fileSystems.ishare, ISHARE_WISHES, {
      onFault,
      pending: ishare,
    });
  }

  /**
   * Takes over what is there, or mounts and begins to serve. Where a step fails, nothing stays mounted that was not
   * before. Rejects with TakeoverRefusedError where a later version's mounts are there.
   */
  static async open(
    options: MountOptions,
    events: MountEvents,
    fileSystems: MountFileSystems,
  ): Promise<EngineMounts> {
    const { imagesDirectory, takeoverDirectory } = options;
    const inherited = await inherit(takeoverDirectory, imagesDirectory, MOUNT_TYPE);
    if (inherited === 'unanswerable') {
      events.onWarning(
        'the mounts of the daemon before this one are given up: it was killed, and only Linux 6.9 and later can repeat ' +
          'what it had not answered. Containers that ran must be started again',
        { directory: imagesDirectory },
      );
    } else if (inherited !== 'nothing') {
      const mounts = new EngineMounts(options, events, fileSystems, partsOf(inherited));
      mounts.imagesSession.resume(inherited.state.images);
      mounts.ishareSession.resume(inherited.state.ishare);
      await mounts.#watch(inherited.state.holder);
      return mounts;
    }
    const stale = await clearStaleMounts(imagesDirectory, MOUNT_TYPE);
    if (stale > 0) {
      events.onWarning('cleared mounts that an earlier daemon left', { directory: imagesDirectory, stale });
    }
    await removeTakeoverState(takeoverDirectory);
    const mounts = new EngineMounts(options, events, fileSystems, freshParts(takeoverDirectory));
    try {
      await mounts.#mount();
      return mounts;
    } catch (error) {
      await mounts.end(() => Promise.resolve());
      throw error;
    }
  }

  /** What kernel and program agreed on for the images mount. */
  get agreed(): Promise<Negotiated> {
    return this.imagesSession.negotiated;
  }

  /** For passthrough: the connection that files are registered with. */
  get imagesDevice(): FuseDevice {
    return this.#imagesDevice;
  }

  /** Whether requests are answered. */
  get serving(): boolean {
    return this.#imagesServed !== undefined;
  }

  /**
   * Serves mounts that were taken over, and has the kernel ask again what was never answered. It asks again everything
   * that was read, so nothing may be read before: an OPEN would come twice, and count twice.
   */
  async serve(): Promise<void> {
    if (this.serving) return;
    await this.#writeState(this.#holder?.holder, false);
    for (const { notifier, negotiated } of [this.ishareSession, this.imagesSession])
      if ((await negotiated).capabilities.has('HAS_RESEND')) await notifier.resend();
    this.#ishareServed = this.#run('ishare', this.ishareSession);
    this.#imagesServed = this.#run('images', this.imagesSession);
    await this.#setReadAheads();
  }

  async #mount(): Promise<void> {
    const { imagesDirectory } = this.#options;
    this.#ishareServed = this.#run('ishare', this.ishareSession);
    mountFuse(this.#imagesDevice, imagesDirectory, { name: MOUNT_NAME });
    this.#imagesServed = this.#run('images', this.imagesSession);
    await this.agreed;
    await this.ishareSession.negotiated;
    await this.#setReadAheads();
    await this.#watch(undefined);
  }

  async #run(name: string, session: Session): Promise<void> {
    await session.run();
    if (!this.#stopping)
      this.#events.onLost(new Error(`the ${name} mount was unmounted or its connection aborted`));
  }

  /** Keeps a holder alive: `known`, where an earlier daemon has left one, or others. */
  async #watch(known: HolderIdentity | undefined): Promise<void> {
    const held = {
      imagesDevice: this.#imagesDevice.number,
      ishareDevice: this.#ishareDevice.number,
      ishareMount: this.ishareMount.number,
    };
    this.#holder = new HolderWatch(held, {
      onStarted: (holder) => this.#writeState(holder, false),
      onEnded: () => this.#events.onWarning('the holder of the mounts has ended; another one is started', {}),
      onFailure: (error) => this.#events.onFault('holder', error),
    });
    await this.#holder.begin(known);
  }

  /** Does nothing where there is no holder: then nobody can take over. */
  async #writeState(holder: HolderIdentity | undefined, answered: boolean): Promise<void> {
    if (holder === undefined) return;
    await writeTakeoverState(this.#options.takeoverDirectory, {
      program: this.#options.program,
      holder,
      images: await this.imagesSession.negotiated,
      ishare: await this.ishareSession.negotiated,
      answered,
    });
  }

  async #setReadAheads(): Promise<void> {
    await this.#setReadAhead(this.#options.imagesDirectory);
    await this.#setReadAhead(`/proc/self/fd/${this.ishareMount.number}`);
  }

  async #setReadAhead(path: string): Promise<void> {
    const { dev } = await stat(path);
    // Anonymous devices: major 0, and the minor in the rest (new_encode_dev).
    const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
    const major = (dev >>> 8) & 0xfff;
    await setReadAhead(`${major}:${minor}`, this.#options.readAheadKib);
  }

  /**
   * Stops serving and leaves the mounts to the next daemon. Whoever asks them meanwhile waits. `closeFiles` closes what this
   * process has open in the ishare mount, which is still served then.
   */
  async leave(closeFiles: () => Promise<void>): Promise<void> {
    this.#stopping = true;
    await this.#holder?.stop();
    await this.#stopServing(closeFiles);
    await this.#writeState(this.#holder?.holder, true);
    this.#closeAll();
  }

  /** Unmounts both, for good. `closeFiles` as for leave(). */
  async end(closeFiles: () => Promise<void>): Promise<void> {
    this.#stopping = true;
    // The images mount first: its connection holds files of the ishare mount (the backing files) until it is gone.
    // Detaching lets go even where an overlay still holds it; such an overlay then fails, as it would anyway.
    detach(this.#options.imagesDirectory);
    await this.#holder?.endHolder();
    await this.#stopServing(closeFiles);
    this.#closeAll();
    await removeTakeoverState(this.#options.takeoverDirectory);
  }

  /** One after the other: an OPEN that is under way in the images mount waits for a LOOKUP in the ishare mount. */
  async #stopServing(closeFiles: () => Promise<void>): Promise<void> {
    this.#imagesDevice.stop();
    await this.#imagesServed;
    await closeFiles();
    this.#ishareDevice.stop();
    await this.#ishareServed;
  }

  #closeAll(): void {
    this.#imagesDevice[Symbol.dispose]();
    this.ishareMount[Symbol.dispose]();
    this.#ishareDevice[Symbol.dispose]();
    this.journal[Symbol.dispose]();
  }
}

interface Parts {
  readonly imagesDevice: FuseDevice;
  readonly ishareDevice: FuseDevice;
  readonly ishareMount: Descriptor;
  readonly journal: TakeoverJournal;
  readonly takenOver: boolean;
}

function partsOf({ held, journal }: Inheritance): Parts {
  return {
    imagesDevice: FuseDevice.adopt(held.imagesDevice),
    ishareDevice: FuseDevice.adopt(held.ishareDevice),
    ishareMount: held.ishareMount,
    journal,
    takenOver: true,
  };
}

/** The ishare mount is nowhere: without its descriptor it is gone. */
function freshParts(takeoverDirectory: string): Parts {
  const imagesDevice = FuseDevice.open();
  const ishareDevice = FuseDevice.open();
  try {
    const ishareMount = mountFuseDetached(ishareDevice, { name: MOUNT_NAME });
    const journal = TakeoverJournal.create(journalPath(takeoverDirectory));
    return { imagesDevice, ishareDevice, ishareMount, journal, takenOver: false };
  } catch (error) {
    imagesDevice[Symbol.dispose]();
    ishareDevice[Symbol.dispose]();
    throw error;
  }
}

/** Somebody may have unmounted it by hand: then it is no mount point any more, and what follows is still to be done. */
function detach(directory: string): void {
  try {
    unmount(directory, UMOUNT.DETACH);
  } catch (error) {
    if (errorCode(error) !== 'EINVAL') throw error;
  }
}
