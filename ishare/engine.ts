import { stat } from 'node:fs/promises';
import { CacheBudget } from '../erofs/cache-budget';
import { ErofsImage } from '../erofs/image';
import { FuseDevice } from '../fuse/device';
import { ROOT_NODE } from '../fuse/file-system';
import { mountFuse, mountFuseDetached } from '../fuse/mount';
import { Session } from '../fuse/session';
import type { Descriptor } from '../linux/descriptor';
import { errorCode } from '../linux/errno';
import { unmount, UMOUNT } from '../linux/mount';
import { Attachment } from './attachment';
import { BackingRegistry } from './backing-registry';
import { DedupFileSystem } from './dedup-file-system';
import { DedupTable } from './dedup-table';
import { IMAGES_WISHES, ISHARE_WISHES } from './fuse-wishes';
import { ImagesFileSystem } from './images-file-system';
import { takeInventory, type Inventory } from './inventory';
import type { LayerAttachment } from './layer-server';
import { setReadAhead } from './read-ahead';
import { domainOf } from './top-directories';

/** First column of the mount table, and the type behind `fuse.`. */
export const MOUNT_NAME = 'ishare';

export interface EngineOptions {
  /** Where the images mount goes: an existing directory with nothing mounted on it. */
  readonly imagesDirectory: string;
  /** False forces the way of kernels without passthrough. */
  readonly passthrough: boolean;
  /** Read-ahead of both mounts in KiB. */
  readonly readAheadKib: number;
  /** Memory for metadata of all images, in bytes. */
  readonly metadataCacheBytes: number;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogSink = (level: LogLevel, message: string, details?: Record<string, string | number>) => void;

/**
 * The two mounts and what lies between them. It runs on a thread that does nothing else: serving /dev/fuse never waits
 * for a database, a hash or a compressor.
 */
export class Engine implements AsyncDisposable {
  readonly #options: EngineOptions;
  readonly #log: LogSink;
  readonly #onLost: (error: Error) => void;
  readonly #budget: CacheBudget;
  readonly #table: DedupTable;
  readonly #images: ImagesFileSystem;
  readonly #imagesDevice: FuseDevice;
  readonly #ishareDevice: FuseDevice;
  readonly #imagesSession: Session;
  readonly #ishareSession: Session;
  #imagesServed: Promise<void> | undefined;
  #ishareServed: Promise<void> | undefined;
  #ishareMount: Descriptor | undefined;
  #imagesMounted = false;
  #stopping = false;
  #backings: BackingRegistry | undefined;

  private constructor(options: EngineOptions, log: LogSink, onLost: (error: Error) => void) {
    this.#options = options;
    this.#log = log;
    this.#onLost = onLost;
    this.#budget = new CacheBudget(options.metadataCacheBytes);
    this.#table = new DedupTable((inode) => this.#backings?.release(inode));
    this.#images = new ImagesFileSystem(this.#table, (error) => this.#fault('close', error));
    const dedup = new DedupFileSystem(this.#table, (inode, backing, error) =>
      this.#log('error', 'a backing inode cannot be read', {
        image: backing.attachment.layer.label,
        fingerprint: inode.fingerprint,
        error: text(error),
      }),
    );
    this.#imagesDevice = FuseDevice.open();
    this.#ishareDevice = FuseDevice.open();
    const events = { onFault: (operation: string, error: unknown) => this.#fault(operation, error) };
    this.#imagesSession = new Session(this.#imagesDevice, this.#images, IMAGES_WISHES, events);
    this.#ishareSession = new Session(this.#ishareDevice, dedup, ISHARE_WISHES, events);
  }

  /**
   * Mounts both file systems and serves them. Where a step fails, nothing stays mounted. `onLost` is told when a
   * mount goes away unasked: then the engine serves nobody any more and is to be disposed of.
   */
  static async start(options: EngineOptions, log: LogSink, onLost: (error: Error) => void): Promise<Engine> {
    const engine = new Engine(options, log, onLost);
    try {
      await engine.#mount();
      return engine;
    } catch (error) {
      await engine[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #mount(): Promise<void> {
    const { imagesDirectory, passthrough } = this.#options;
    this.#ishareMount = mountFuseDetached(this.#ishareDevice, { name: MOUNT_NAME });
    this.#ishareServed = this.#serve('ishare', this.#ishareSession);
    mountFuse(this.#imagesDevice, imagesDirectory, { name: MOUNT_NAME });
    this.#imagesMounted = true;
    this.#imagesServed = this.#serve('images', this.#imagesSession);
    const agreed = await this.#imagesSession.negotiated;
    await this.#ishareSession.negotiated;
    if (passthrough && agreed.capabilities.has('PASSTHROUGH')) {
      this.#backings = new BackingRegistry(this.#imagesDevice, this.#ishareMount);
      this.#images.passThroughTo(this.#backings);
    }
    await this.#setReadAhead(imagesDirectory);
    await this.#setReadAhead(`/proc/self/fd/${this.#ishareMount.number}`);
  }

  async #serve(name: string, session: Session): Promise<void> {
    await session.run();
    if (!this.#stopping) this.#onLost(new Error(`the ${name} mount was unmounted or its connection aborted`));
  }

  /** Whether opened files pass through to their dedup inodes. */
  get passthrough(): boolean {
    return this.#backings !== undefined;
  }

  /** For the thread that asks the kernel what it has cached: the descriptor of the ishare mount. */
  get ishareMount(): number {
    if (this.#ishareMount === undefined) throw new Error('the engine is not mounted');
    return this.#ishareMount.number;
  }

  /** Opens an image and makes its tree reachable. Attaching again what is attached changes nothing. */
  async attach(layer: LayerAttachment): Promise<void> {
    if (this.#images.attachments.has(layer.attachmentId)) return;
    const image = await ErofsImage.open(layer.imagePath, { budget: this.#budget });
    if (this.#images.attachments.has(layer.attachmentId)) {
      await image[Symbol.asyncDispose]();
      return;
    }
    const attachment = new Attachment(layer, image, this.#table, (_attachment, nid, reason) =>
      this.#log('warn', 'a file is not shared', { image: layer.label, nid, reason }),
    );
    this.#images.add(attachment);
    await this.#forgetListings(attachment);
    attachment.startScan((error) =>
      this.#log('error', 'an image cannot be read whole', { image: layer.label, error: text(error) }),
    );
  }

  /** Takes an image away. Files that are open through it stay readable until they are closed. */
  async detach(attachmentId: number): Promise<void> {
    const attachment = this.#images.attachments.get(attachmentId);
    if (attachment === undefined) return;
    this.#images.remove(attachmentId);
    await this.#imagesSession.notifier.invalidateEntry(
      domainOf(attachment),
      Buffer.from(String(attachmentId)),
    );
    await this.#forgetListings(attachment);
    await attachment.detach();
  }

  /** The kernel keeps listings of directories; those of the two upper levels change. */
  async #forgetListings(attachment: Attachment): Promise<void> {
    await this.#imagesSession.notifier.invalidateInode(domainOf(attachment));
    await this.#imagesSession.notifier.invalidateInode(ROOT_NODE);
  }

  /** What is attached and shared at this moment, with every reference taken. */
  async inventory(): Promise<Inventory> {
    const attachments = [...this.#images.attachments.values()];
    await Promise.all(attachments.map((attachment) => attachment.scanned));
    return takeInventory(attachments, this.#table);
  }

  /** Requests served by operation, for each mount. */
  requestCounts(): { readonly images: Record<string, number>; readonly ishare: Record<string, number> } {
    return { images: this.#imagesSession.counts(), ishare: this.#ishareSession.counts() };
  }

  get openFiles(): number {
    return this.#images.openFiles;
  }

  get backingIds(): number {
    return this.#backings?.registered ?? 0;
  }

  async #setReadAhead(path: string): Promise<void> {
    const { dev } = await stat(path);
    // Anonymous devices: major 0, and the minor in the rest (new_encode_dev).
    const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
    const major = (dev >>> 8) & 0xfff;
    await setReadAhead(`${major}:${minor}`, this.#options.readAheadKib);
  }

  #fault(operation: string, error: unknown): void {
    this.#log('error', 'a file system request failed', { operation, error: text(error) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    // The images mount first: its connection holds files of the ishare mount (the backing files) until it is gone.
    // Detaching lets go even where an overlay still holds it; such an overlay then fails, as it would anyway.
    if (this.#imagesMounted) detach(this.#options.imagesDirectory);
    this.#imagesDevice.stop();
    await this.#imagesServed;
    this.#imagesDevice[Symbol.dispose]();
    this.#ishareMount?.[Symbol.dispose]();
    this.#ishareDevice.stop();
    await this.#ishareServed;
    this.#ishareDevice[Symbol.dispose]();
    for (const attachment of this.#images.attachments.values()) await attachment.image[Symbol.asyncDispose]();
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

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
