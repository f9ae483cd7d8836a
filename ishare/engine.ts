import { Gate } from '../erofs/compression/gate';
import type { PendingRequest } from '../fuse/session';
import type { Nid } from '../erofs/brands';
import { ErofsCorruptError } from '../erofs/errors';
import { ROOT_NODE } from '../fuse/file-system';
import { Attachment } from './attachment';
import { BackingRegistry, MAX_OWN_CALLS } from './backing-registry';
import { ClaimsRegistry } from './claims-registry';
import { DedupFileSystem } from './dedup-file-system';
import { DedupReader } from './dedup-reader';
import type { DedupInode } from './dedup-inode';
import { DedupTable } from './dedup-table';
import { EngineMounts } from './engine-mounts';
import { ImageOpener } from './image-opener';
import { ImagesFileSystem } from './images-file-system';
import type { TrustNews } from './image-trust';
import {
  attachedImage,
  dedupFile,
  measuredInode,
  type AttachedImage,
  type FileOfImage,
  type Measurement,
  type ServedFile,
} from './inventory';
import type { LayerAttachment, MergedLayers } from './layer-server';
import { LookupProcess } from './lookup-process';
import { measureInodes } from './measure-inodes';
import { MergedAttachment } from './merged-attachment';
import { restAfterScans } from './rest-after-scans';
import { ScanQueue } from './scan-queue';
import type { ServedImage } from './served-image';
import { slowRequests } from './slow-requests';
import type { SlowWork } from './slow-work';
import { imageNode, slotOf } from './node-numbers';
import { domainOf } from './top-directories';
import { withPageCache } from './worker/page-cache-thread';

export interface EngineOptions {
  /** See MountOptions. */
  readonly imagesDirectory: string;
  readonly takeoverDirectory: string;
  readonly program: string;
  /** False forces the way of kernels without passthrough. */
  readonly passthrough: boolean;
  /** Read-ahead of both mounts in KiB. */
  readonly readAheadKib: number;
  /** Whether requests are to be answered before ordinary threads run. See makeRealtime. */
  readonly realtime: boolean;
  /** Memory for metadata of all images, in bytes. */
  readonly metadataCacheBytes: number;
}

export interface EngineEvents {
  readonly log: LogSink;
  /** A mount went away unasked: the engine serves nobody any more and is to be disposed of. */
  readonly onLost: (error: Error) => void;
  /** An image turned out to be wrong where it was read; told for each failure. */
  readonly onDamage: (imagePath: string, problem: string) => void;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogSink = (level: LogLevel, message: string, details?: Record<string, string | number>) => void;

/**
 * The two mounts and what lies between them. It runs on a thread that does nothing else: serving /dev/fuse never waits
 * for a database, a hash or a compressor.
 */
export class Engine implements AsyncDisposable {
  readonly #options: EngineOptions;
  readonly #events: EngineEvents;
  readonly #log: LogSink;
  readonly #opener: ImageOpener;
  readonly #scans = new ScanQueue((done) => void restAfterScans(done, this.#opener, this.#log));
  readonly #table: DedupTable;
  readonly #claims = new ClaimsRegistry();
  readonly #images: ImagesFileSystem;
  readonly #dedup: DedupFileSystem;
  readonly #slow: { readonly images: SlowWork<PendingRequest>; readonly ishare: SlowWork<PendingRequest> };
  #mounts: EngineMounts | undefined;
  #backings: BackingRegistry | undefined;
  #reader: DedupReader | undefined;
  #lookups: LookupProcess | undefined;

  private constructor(options: EngineOptions, events: EngineEvents) {
    this.#options = options;
    this.#events = events;
    this.#log = events.log;
    this.#opener = new ImageOpener(options.metadataCacheBytes);
    this.#table = new DedupTable({
      made: (inode) => this.#backings?.adopt(inode),
      unused: (inode) => this.#forget(inode),
    });
    const { log } = events;
    this.#slow = {
      images: slowRequests({ mount: 'images', log, describe: (node) => this.#images.describe(node) }),
      ishare: slowRequests({ mount: 'ishare', log, describe: (node) => this.#table.byNode(node)?.name }),
    };
    this.#images = new ImagesFileSystem(this.#table, (error) => this.#fault('close', error));
    this.#dedup = new DedupFileSystem(this.#table, (inode, backing, error) => {
      this.#log('error', 'a backing inode cannot be read', {
        image: backing.attachment.layer.label,
        inode: inode.name,
        error: text(error),
      });
      this.#noteDamage(error);
    });
  }

  /**
   * Takes over the mounts of an earlier daemon, or makes both and serves them; where a step fails, nothing new stays
   * mounted. What was taken over is served once everything is attached again: see `resume`.
   */
  static async start(options: EngineOptions, events: EngineEvents): Promise<Engine> {
    const engine = new Engine(options, events);
    await engine.#open();
    return engine;
  }

  async #open(): Promise<void> {
    const mounts = await EngineMounts.open(
      this.#options,
      {
        onFault: (operation, error) => this.#fault(operation, error),
        onLost: this.#events.onLost,
        onWarning: (message, details) => this.#log('warn', message, details),
        pending: this.#slow,
      },
      { images: this.#images, ishare: this.#dedup },
    );
    this.#mounts = mounts;
    const { journal, ishareMount } = mounts;
    const gate = new Gate(MAX_OWN_CALLS);
    const agreed = await mounts.agreed;
    if (this.#options.passthrough && agreed.capabilities.has('PASSTHROUGH')) {
      const { realtime } = this.#options;
      this.#lookups = new LookupProcess(ishareMount, {
        realtime,
        onFailure: (error) =>
          this.#log('warn', 'names are not asked for by a process of their own', { error: text(error) }),
      });
      this.#lookups.begin();
      this.#backings = new BackingRegistry(mounts.imagesDevice, ishareMount, gate, journal, this.#lookups);
    }
    this.#reader = new DedupReader(ishareMount, gate);
    this.#images.shareThrough({
      backings: this.#backings,
      reader: this.#reader,
      journal,
      forgetPages: (...range) => mounts.imagesSession.notifier.invalidateInode(...range),
    });
  }

  /** Whether mounts of an earlier daemon were taken over. */
  get takenOver(): boolean {
    return this.#running.takenOver;
  }

  /**
   * Everything that was in use is attached again: opened files find their inodes, and requests are answered from here
   * on. Does nothing where the mounts are this daemon's own.
   */
  async resume(): Promise<void> {
    const { journal, serving } = this.#running;
    if (serving) return;
    for (const record of [...journal.opens()]) {
      if (await this.#restored(() => this.#images.restoreOpen(record))) continue;
      journal.forgetOpen(record.node);
    }
    for (const { node, dedupNode } of [...journal.owns()]) {
      if (await this.#restored(() => this.#images.restoreOwn(node, dedupNode))) continue;
      journal.ownGone(dedupNode);
    }
    const settled = this.#scanned().then(() =>
      this.#backings?.releaseStrangers((node) => this.#table.byNode(node) !== undefined),
    );
    this.#dedup.waitFor(settled);
    await this.#running.serve();
  }

  /** An image that cannot be read any more must not keep the others from being served. */
  async #restored(work: () => Promise<boolean>): Promise<boolean> {
    try {
      return await work();
    } catch (error) {
      this.#fault('takeover', error);
      return false;
    }
  }

  /** Leaves the mounts to the next daemon. */
  async leave(): Promise<void> {
    await this.#running.leave(() => this.#closeFiles());
    await this.#release();
  }

  get #running(): EngineMounts {
    if (this.#mounts === undefined) throw new Error('the engine is not mounted');
    return this.#mounts;
  }

  /** A dedup inode has left the table. */
  #forget(inode: DedupInode): void {
    this.#backings?.release(inode);
    if (inode.fingerprint === undefined) this.#mounts?.journal.ownGone(inode.node);
  }

  /** Whether opened files pass through to their dedup inodes. */
  get passthrough(): boolean {
    return this.#backings !== undefined;
  }

  /** For the thread that asks the kernel what it has cached: the descriptor of the ishare mount. */
  get ishareMount(): number {
    return this.#running.ishareMount.number;
  }

  /** Opens an image and makes its tree reachable. Attaching again what is attached changes nothing. */
  async attach(layer: LayerAttachment): Promise<void> {
    if (this.#images.attachments.has(layer.attachmentId)) return;
    await this.#scans.whileAttaching(() => this.#attach(layer));
  }

  async #attach(layer: LayerAttachment): Promise<void> {
    const claims = this.#claims.acquire(layer);
    try {
      const image = await this.#opener.open(layer);
      if (this.#images.attachments.has(layer.attachmentId)) {
        await image[Symbol.asyncDispose]();
        this.#claims.release(layer.imagePath);
        return;
      }
      const attachment = new Attachment(layer, image, this.#table, claims, {
        refused: (_attachment, nid, reason) =>
          this.#log('warn', 'a file is not shared', { image: layer.label, nid, reason }),
        ownInodeMade: ({ node }, nid) =>
          this.#mounts?.journal.ownMade(node, imageNode(layer.nodeRange, slotOf(nid) ?? 0)),
        ownInodeLeft: ({ node }) => {
          this.#running.ishareSession.notifier
            .invalidateInode(node)
            .catch((error: unknown) => this.#fault('invalidate', error));
        },
      });
      this.#images.add(attachment);
      await this.#forgetListings(attachment);
      this.#scan(attachment);
    } catch (error) {
      this.#claims.release(layer.imagePath);
      throw error;
    }
  }

  /** The same for merged layers, all of which are attached. */
  async attachMerged(merged: MergedLayers): Promise<void> {
    const { served, attachments } = this.#images;
    if (served.has(merged.attachmentId)) return;
    const image = await this.#opener.open(merged);
    const layers = merged.layers.map((id) => attachments.get(id)).filter((layer) => layer !== undefined);
    if (served.has(merged.attachmentId) || layers.length < merged.layers.length) {
      await image[Symbol.asyncDispose]();
      if (layers.length < merged.layers.length) throw new Error(`${merged.label}: a layer is not attached`);
      return;
    }
    const attachment = new MergedAttachment(merged, image, layers);
    this.#images.add(attachment);
    await this.#forgetListings(attachment);
  }

  /** Takes the references of an image's files as far as they are believed. */
  #scan(attachment: Attachment): void {
    attachment.startScan(this.#scans, (error) => {
      this.#log('error', 'an image cannot be read whole', {
        image: attachment.layer.label,
        error: text(error),
      });
      this.#noteDamage(error);
    });
  }

  /** Something is known about the fingerprints of an image, which files take in when they are opened next. */
  learn(news: TrustNews): void {
    this.#claims.learn(news);
    for (const attachment of this.#images.attachments.values()) {
      if (attachment.layer.imagePath !== news.imagePath) continue;
      if (news.trust === 'quarantined') attachment.distrust();
      else if (news.trust === 'verified') this.#scan(attachment);
    }
  }

  /** Takes an image away. Files that are open through it stay readable until they are closed. */
  async detach(attachmentId: number): Promise<void> {
    const attachment = this.#images.served.get(attachmentId);
    if (attachment === undefined) return;
    this.#images.remove(attachmentId);
    await this.#running.imagesSession.notifier.invalidateEntry(
      domainOf(attachment),
      Buffer.from(String(attachmentId)),
    );
    await this.#forgetListings(attachment);
    await attachment.detach();
    if (attachment instanceof Attachment) this.#claims.release(attachment.layer.imagePath);
  }

  /** The kernel keeps listings of directories; those of the two upper levels change. */
  async #forgetListings(attachment: ServedImage): Promise<void> {
    // Before it is served again a mount has everything attached that it had, and nobody could let the kernel's locks go.
    if (!this.#running.serving) return;
    await this.#running.imagesSession.notifier.invalidateInode(domainOf(attachment));
    await this.#running.imagesSession.notifier.invalidateInode(ROOT_NODE);
  }

  /** What is attached at this moment, with every reference taken. */
  async attachedImages(): Promise<AttachedImage[]> {
    return (await this.#scanned()).map(attachedImage);
  }

  /** What is attached, shared and cached at this moment: asks the kernel about every dedup inode, on another thread. */
  async measure(): Promise<Measurement> {
    const attachments = await this.#scanned();
    const inodes = await measureInodes(this.#table, this.ishareMount);
    return { images: attachments.map(attachedImage), inodes };
  }

  /** The shared dedup inodes of an image's files. */
  async filesOf(attachmentId: number): Promise<FileOfImage[]> {
    const attachment = this.#images.attachments.get(attachmentId);
    if (attachment === undefined) return [];
    await attachment.scanned;
    return Array.from(attachment.sharedInodes(), ([nid, inode]) => ({ nid, ...dedupFile(inode) }));
  }

  /** How a file of an attached image is served. Undefined where the image is not attached. */
  async explain(attachmentId: number, nid: Nid): Promise<ServedFile | undefined> {
    const attachment = this.#images.attachments.get(attachmentId);
    if (attachment === undefined) return undefined;
    const { fingerprint, reference } = await attachment.explain(await attachment.image.inode(nid));
    const [cachedBytes = 0] =
      reference === undefined
        ? []
        : await withPageCache('count', this.ishareMount, [dedupFile(reference.inode)]);
    return {
      trust: attachment.trust,
      claim: fingerprint?.toString('hex'),
      inode: reference && measuredInode(reference.inode, cachedBytes),
    };
  }

  async #scanned(): Promise<Attachment[]> {
    const attachments = [...this.#images.attachments.values()];
    await Promise.all(attachments.map((attachment) => attachment.scanned));
    return attachments;
  }

  /** Requests served by operation, for each mount. */
  requestCounts(): { readonly images: Record<string, number>; readonly ishare: Record<string, number> } {
    const { imagesSession, ishareSession } = this.#running;
    return { images: imagesSession.counts(), ishare: ishareSession.counts() };
  }

  get openFiles(): number {
    return this.#images.openFiles;
  }

  /** Requests that were not answered for long: so far, and at this moment. */
  slowRequests(): { readonly noticed: number; readonly waiting: number } {
    const { images, ishare } = this.#slow;
    return { noticed: images.noticed + ishare.noticed, waiting: images.slow + ishare.slow };
  }

  get backingIds(): number {
    return this.#backings?.registered ?? 0;
  }

  #fault(operation: string, error: unknown): void {
    this.#log('error', 'a file system request failed', { operation, error: text(error) });
    this.#noteDamage(error);
  }

  #noteDamage(error: unknown): void {
    if (error instanceof ErofsCorruptError) this.#events.onDamage(error.image, error.message);
  }

  /** Unmounts both file systems, for good. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mounts?.end(() => this.#closeFiles());
    await this.#release();
  }

  async #closeFiles(): Promise<void> {
    await this.#reader?.[Symbol.asyncDispose]();
    await this.#lookups?.[Symbol.asyncDispose]();
  }

  /** Once nothing is served any more. */
  async #release(): Promise<void> {
    this.#mounts = undefined;
    for (const { image } of this.#images.served.values()) await image[Symbol.asyncDispose]();
    await this.#opener[Symbol.asyncDispose]();
    for (const watch of Object.values(this.#slow)) watch[Symbol.dispose]();
  }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
