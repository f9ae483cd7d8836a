import type { Nid } from '../erofs/brands';
import type { ErofsImage, Inode } from '../erofs/image';
import type { NodeId } from '../fuse/file-system';
import type { DedupFacts, DedupInode } from './dedup-inode';
import type { DedupTable, Reference } from './dedup-table';
import { parseFingerprint } from './fingerprint';
import type { ImageClaims, ImageTrust } from './image-trust';
import { ImageTree } from './image-tree';
import type { Domain, LayerAttachment } from './layer-server';
import { MissingXattrs } from './missing-xattrs';
import { dedupNode, UNSHARED_ID } from './node-numbers';
import { NumberMap } from './number-map';
import { NO_DOMAIN_TOKEN } from './top-directories';
import type { ScanQueue } from './scan-queue';
import { numbersIn, type FileContent, type ServedImage } from './served-image';
import { Slice } from './slice';

/** Stands for the node of a file that is never shared. */
const NEVER = 0;

export interface AttachmentEvents {
  /** A file has a fingerprint and is not shared all the same: the first one for each reason. */
  refused(attachment: Attachment, nid: Nid, reason: string): void;
  /** A file has got an inode for itself. */
  ownInodeMade(inode: DedupInode, nid: Nid): void;
  /** Nothing will be opened through an inode that belonged to one file alone: its pages are of no use. */
  ownInodeLeft(inode: DedupInode): void;
}

/**
 * Where inodes are that have nothing to do with a domain: each belongs to one file of one image. Their names are made of
 * numbers that this program gives out, so there is nothing to keep secret.
 */
const UNSHARED: Domain = { id: UNSHARED_ID, name: '', token: NO_DOMAIN_TOKEN, secret: Buffer.alloc(32) };

/**
 * One image in one domain (or in none): open, with a reference to the dedup inode of each of its files. The image
 * stays open until the attachment is detached and the last file that was opened through it is closed.
 *
 * A file whose fingerprint is not believed has a dedup inode of its own. It moves to the shared one when it is opened and
 * was not open before: the kernel refuses to change what an open inode passes through to. Once the image is quarantined, it
 * moves back in the same way.
 */
export class Attachment implements ServedImage {
  readonly id: number;
  /** How the images mount shows it. */
  readonly tree: ImageTree;
  readonly missingXattrs = new MissingXattrs(this);
  readonly #table: DedupTable;
  readonly #claims: ImageClaims;
  readonly #events: AttachmentEvents;
  /** The nodes of shared inodes that its files have references to, by nid. */
  #shared = new NumberMap();
  /** Those of them that are more than noted: because the file was opened, or is not believed. */
  readonly #references = new Map<Nid, Reference>();
  /** Inodes that belong to one file of this image. They stay to the end, since what is mapped may still read them. */
  readonly #own = new Map<Nid, Reference>();
  readonly #ownLeft = new Set<Nid>();
  readonly #refusals = new Set<string>();
  #detached = false;
  #holders = 0;
  #closing: Promise<void> | undefined;
  #scan: Promise<void> = Promise.resolve();
  #leave: () => void = () => undefined;
  readonly #left = new Promise<void>((resolve) => (this.#leave = resolve));

  constructor(
    readonly layer: LayerAttachment,
    /** Owned: closed with the attachment. */
    readonly image: ErofsImage,
    table: DedupTable,
    claims: ImageClaims,
    events: AttachmentEvents,
  ) {
    this.id = layer.attachmentId;
    this.tree = new ImageTree(image, numbersIn(layer));
    this.#table = table;
    this.#claims = claims;
    this.#events = events;
  }

  get detached(): boolean {
    return this.#detached;
  }

  get trust(): ImageTrust {
    return this.#claims.trust;
  }

  /** The shared inodes that its files have references to, by nid. Complete once `scanned` has resolved. */
  *sharedInodes(): Generator<readonly [Nid, DedupFacts]> {
    for (const [nid, node] of this.#sharedNodes()) {
      const inode = this.#table.facts(node);
      if (inode !== undefined) yield [nid, inode] as const;
    }
  }

  *#sharedNodes(): Generator<readonly [Nid, NodeId]> {
    for (const [nid, node] of this.#shared as Iterable<readonly [Nid, NodeId]>)
      if (node !== NEVER && this.#references.get(nid)?.backing.distrusted !== true)
        yield [nid, node] as const;
  }

  /** Number of its files that have a shared dedup inode. Exact once `scanned` has resolved. */
  get sharedFiles(): number {
    return [...this.#sharedNodes()].length;
  }

  /** Resolves when every file's reference has been taken. */
  get scanned(): Promise<void> {
    return this.#scan;
  }

  /**
   * Takes the references of all files, in slices between other work. Files that are opened meanwhile take theirs
   * on the spot, so nothing waits for this. Does nothing while the image as a whole is not believed.
   */
  startScan(queue: ScanQueue, onFailure: (error: unknown) => void): void {
    const { trust } = this.#claims;
    if (this.layer.domain === undefined || trust === 'unverified' || trust === 'quarantined') return;
    const scan = queue.run({ unwanted: this.#left, run: (breathe) => this.#takeReferences(breathe) });
    this.#scan = Promise.all([this.#scan, scan.catch(onFailure)]).then(() => undefined);
  }

  /** The image was quarantined: nothing new opens through what it shares. */
  distrust(): void {
    for (const [nid, node] of this.#sharedNodes()) {
      const reference = this.#referenceTo(nid, node);
      if (reference !== undefined) reference.backing.distrusted = true;
    }
  }

  async #takeReferences(breathe: () => Promise<void>): Promise<number> {
    let files = 0;
    const slice = new Slice();
    for await (const inode of this.image.files()) {
      if (this.#detached) return files;
      files += 1;
      if (!this.#shared.has(inode.nid)) await this.#note(inode);
      if (slice.over) await slice.rest(breathe);
    }
    this.#shared.fit();
    // Of many images all would keep what this has read, and most are asked for little of it.
    this.image.rest();
    return files;
  }

  /**
   * The dedup inode that an open of one of this image's files passes through to, or undefined where it has none. The
   * answer may change, and must not be asked for while the file is open.
   */
  async servedBy(inode: Inode): Promise<Reference | undefined> {
    const { domain } = this.layer;
    if (domain === undefined) return undefined;
    const shared = await this.#sharedFile(inode);
    if (shared === 'not believed') return this.#ownFile(domain, inode);
    if (shared !== undefined) this.#leaveOwn(inode.nid);
    return shared;
  }

  /**
   * An inode that belongs to this file alone, for one that `servedBy` has none for. Chains of layers that have this one in
   * common open it as several inodes of the images mount, which would each have pages of their own.
   */
  servedAlone(inode: Inode): Reference | undefined {
    return this.#ownFile(this.layer.domain ?? UNSHARED, inode);
  }

  /** How an open of this file would be served now, without taking a reference. */
  async explain(
    inode: Inode,
  ): Promise<{ readonly fingerprint: Buffer | undefined; readonly reference: Reference | undefined }> {
    const node = this.#shared.get(inode.nid) ?? NEVER;
    const shared = node === NEVER ? undefined : this.#referenceTo(inode.nid, node as NodeId);
    const usable = shared?.backing.distrusted === false ? shared : this.#own.get(inode.nid);
    const reference = this.layer.domain === undefined ? undefined : usable;
    return { fingerprint: await this.image.fingerprint(inode), reference };
  }

  async #sharedFile(inode: Inode): Promise<Reference | 'not believed' | undefined> {
    const node = this.#shared.get(inode.nid) ?? (await this.#note(inode));
    if (node === 'not believed') return node;
    if (node === NEVER) return undefined;
    const reference = this.#referenceTo(inode.nid, node as NodeId);
    return reference?.backing.distrusted === true ? 'not believed' : reference;
  }

  /** Notes the reference of a file: the node of its inode, or NEVER. */
  async #note(inode: Inode): Promise<number | 'not believed'> {
    const value = await this.image.fingerprint(inode);
    // Scan and open may both have come here for the same file: whoever returns first takes the reference.
    return this.#shared.get(inode.nid) ?? (this.#detached ? NEVER : this.#noteFingerprint(inode, value));
  }

  #noteFingerprint(inode: Inode, value: Buffer | undefined): number | 'not believed' {
    const { domain } = this.layer;
    const fingerprint = value && parseFingerprint(value);
    if (domain === undefined || fingerprint === undefined) {
      // Of images that came ready-made the verification has told it.
      if (value !== undefined && this.#claims.trust === 'computed')
        this.#refuse(inode.nid, 'its fingerprint is not "sha256:" and 32 bytes');
      this.#shared.set(inode.nid, NEVER);
      return NEVER;
    }
    if (!this.#claims.believes(inode.nid, fingerprint)) return 'not believed';
    const result = this.#table.note(domain, fingerprint, inode.size, this, inode.nid);
    if (typeof result === 'string') this.#refuse(inode.nid, result);
    const node = typeof result === 'string' ? NEVER : result;
    this.#shared.set(inode.nid, node);
    return node;
  }

  #referenceTo(nid: Nid, node: NodeId): Reference | undefined {
    const known = this.#references.get(nid);
    if (known !== undefined) return known;
    const reference = this.#table.reference(node, this, nid);
    if (reference !== undefined) this.#references.set(nid, reference);
    return reference;
  }

  #ownFile(domain: Domain, inode: Inode): Reference | undefined {
    const known = this.#own.get(inode.nid);
    this.#ownLeft.delete(inode.nid);
    if (known !== undefined || this.#detached) return known;
    const result = this.#table.referenceOwn(domain, inode.size, this, inode.nid);
    if (typeof result === 'string') {
      this.#refuse(inode.nid, result);
      return undefined;
    }
    this.#own.set(inode.nid, result);
    this.#events.ownInodeMade(result.inode, inode.nid);
    return result;
  }

  /**
   * The reference that an earlier process had for this file, on the dedup inode `node`: what was believed then stays as
   * it was for files that are open. Undefined where there is no such inode any more.
   */
  async restore(inode: Inode, node: NodeId): Promise<Reference | undefined> {
    const { domain } = this.layer;
    const claim = domain && (await this.image.fingerprint(inode));
    const fingerprint = claim && parseFingerprint(claim);
    if (domain === undefined || fingerprint === undefined || dedupNode(domain.secret, fingerprint) !== node) {
      const own = this.servedAlone(inode);
      return own?.inode.node === node ? own : undefined;
    }
    const known = this.#shared.get(inode.nid);
    if (known === NEVER) return undefined;
    if (known !== undefined) return this.#referenceTo(inode.nid, node);
    if (typeof this.#table.note(domain, fingerprint, inode.size, this, inode.nid) === 'string')
      return undefined;
    this.#shared.set(inode.nid, node);
    const reference = this.#referenceTo(inode.nid, node);
    if (reference !== undefined)
      reference.backing.distrusted = !this.#claims.believes(inode.nid, fingerprint);
    return reference;
  }

  #leaveOwn(nid: Nid): void {
    const own = this.#own.get(nid);
    if (own === undefined || this.#ownLeft.has(nid)) return;
    this.#ownLeft.add(nid);
    this.#events.ownInodeLeft(own.inode);
  }

  /** An image may have any number of such files, and its owner must not be able to fill the log with them. */
  #refuse(nid: Nid, reason: string): void {
    if (this.#refusals.has(reason)) return;
    this.#refusals.add(reason);
    this.#events.refused(this, nid, reason);
  }

  content(inode: Inode): FileContent {
    return { attachment: this, inode };
  }

  hold(): void {
    this.#holders += 1;
  }

  async letGo(): Promise<void> {
    this.#holders -= 1;
    // The scan reads the image: it must have ended before that is closed.
    if (this.#detached) await this.#scan;
    await this.#closeIfDone();
  }

  /** Drops all references, once nobody holds the image: files that are open keep it open, and with it their bytes. */
  async detach(): Promise<void> {
    if (this.#detached) return;
    this.#detached = true;
    this.#leave();
    await this.#scan;
    await this.#closeIfDone();
  }

  async #closeIfDone(): Promise<void> {
    if (!this.#detached || this.#holders > 0) return;
    this.#closing ??= this.#close();
    await this.#closing;
  }

  /** In slices as the scan: an image may have any number of files. */
  async #close(): Promise<void> {
    const shared = this.#shared as Iterable<readonly [Nid, NodeId]>;
    this.#shared = new NumberMap();
    this.#references.clear();
    for (const nid of this.#own.keys()) this.#leaveOwn(nid);
    const own = Array.from(this.#own, ([nid, { inode }]) => [nid, inode.node] as const);
    this.#own.clear();
    const slice = new Slice();
    for (const references of [shared, own]) {
      for (const [nid, node] of references) {
        if (node !== NEVER) this.#table.release(node, this, nid);
        if (slice.over) await slice.rest();
      }
    }
    this.#table.forget(this);
    await this.image[Symbol.asyncDispose]();
  }
}
