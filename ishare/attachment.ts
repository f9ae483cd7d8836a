import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Nid } from '../erofs/brands';
import type { ErofsImage, Inode } from '../erofs/image';
import { FuseError } from '../fuse/errors';
import type { Backing, DedupInode } from './dedup-inode';
import type { DedupTable } from './dedup-table';
import { parseFingerprint } from './fingerprint';
import { ImageTree, type ImageNumbers } from './image-tree';
import type { LayerAttachment } from './layer-server';
import { imageNode, slotOf } from './node-numbers';

/** Taking references to all files of an image may not keep other requests waiting longer than this (ms). */
const SLICE_MS = 2;

export interface SharedFile {
  readonly inode: DedupInode;
  readonly backing: Backing;
}

/** A file that has a fingerprint and is not shared all the same. */
export type OnRefused = (attachment: Attachment, nid: Nid, reason: string) => void;

/**
 * One image in one domain (or in none): open, with a reference to the dedup inode of each of its files. The image
 * stays open until the attachment is detached and the last file that was opened through it is closed.
 */
export class Attachment {
  readonly id: number;
  /** How the images mount shows it. */
  readonly tree: ImageTree;
  readonly #table: DedupTable;
  readonly #onRefused: OnRefused;
  /** By nid; null stands for a file that is not shared. */
  readonly #files = new Map<Nid, SharedFile | null>();
  #detached = false;
  #openFiles = 0;
  #scan: Promise<void> = Promise.resolve();

  constructor(
    readonly layer: LayerAttachment,
    /** Owned: closed with the attachment. */
    readonly image: ErofsImage,
    table: DedupTable,
    onRefused: OnRefused,
  ) {
    this.id = layer.attachmentId;
    this.tree = new ImageTree(image, numbersIn(layer));
    this.#table = table;
    this.#onRefused = onRefused;
  }

  get detached(): boolean {
    return this.#detached;
  }

  /** Number of its files that have a dedup inode. Exact once `scanned` has resolved. */
  get sharedFiles(): number {
    let count = 0;
    for (const file of this.#files.values()) if (file !== null) count += 1;
    return count;
  }

  /** Resolves when every file's reference has been taken. */
  get scanned(): Promise<void> {
    return this.#scan;
  }

  /**
   * Takes the references of all files, in slices between other work. Files that are opened meanwhile take theirs
   * on the spot, so nothing waits for this.
   */
  startScan(onFailure: (error: unknown) => void): void {
    if (this.layer.domain === undefined) return;
    this.#scan = this.#takeReferences().catch(onFailure);
  }

  async #takeReferences(): Promise<void> {
    let sliceStart = performance.now();
    for await (const inode of this.image.files()) {
      if (this.#detached) return;
      await this.sharedFile(inode);
      if (performance.now() - sliceStart > SLICE_MS) {
        await nextTurn();
        sliceStart = performance.now();
      }
    }
  }

  /** The dedup inode of one of this image's files, or undefined where the file is not shared. */
  async sharedFile(inode: Inode): Promise<SharedFile | undefined> {
    const { domain } = this.layer;
    if (domain === undefined) return undefined;
    const known = this.#files.get(inode.nid);
    if (known !== undefined) return known ?? undefined;
    const value = await this.image.fingerprint(inode);
    // Scan and open may both have come here for the same file: whoever returns first takes the reference.
    const meanwhile = this.#files.get(inode.nid);
    if (meanwhile !== undefined) return meanwhile ?? undefined;
    if (this.#detached) return undefined;
    const file = this.#reference(inode, value);
    this.#files.set(inode.nid, file);
    return file ?? undefined;
  }

  #reference(inode: Inode, value: Buffer | undefined): SharedFile | null {
    const { domain } = this.layer;
    if (value === undefined || domain === undefined) return null;
    const fingerprint = parseFingerprint(value);
    if (fingerprint === undefined) {
      this.#onRefused(this, inode.nid, 'its fingerprint is not "sha256:" and 32 bytes');
      return null;
    }
    const result = this.#table.reference(domain, fingerprint, inode.size, this, inode.nid);
    if (typeof result === 'string') {
      this.#onRefused(this, inode.nid, result);
      return null;
    }
    return result;
  }

  fileOpened(): void {
    this.#openFiles += 1;
  }

  async fileClosed(): Promise<void> {
    this.#openFiles -= 1;
    // The scan reads the image: it must have ended before that is closed.
    if (this.#detached) await this.#scan;
    await this.#closeIfDone();
  }

  /** Drops all references. Files that are open keep the image open, and with it their bytes. */
  async detach(): Promise<void> {
    if (this.#detached) return;
    this.#detached = true;
    await this.#scan;
    await this.#closeIfDone();
  }

  async #closeIfDone(): Promise<void> {
    if (!this.#detached || this.#openFiles > 0) return;
    const files = [...this.#files.values()];
    this.#files.clear();
    for (const file of files) if (file !== null) this.#table.release(file.inode, file.backing);
    await this.image[Symbol.asyncDispose]();
  }
}

function numbersIn(layer: LayerAttachment): ImageNumbers {
  return {
    // Ranges of node ids come round again after a million attachments; ids never do.
    generation: layer.attachmentId,
    node: (nid) => {
      const slot = slotOf(nid);
      if (slot === undefined) {
        throw new FuseError('EOPNOTSUPP', `${layer.label}: nid ${nid} is too large`);
      }
      return imageNode(layer.nodeRange, slot);
    },
    // Apart for every attachment: on one superblock, equal numbers would make tar and rsync see hard links.
    inodeNumber: (nid) => layer.inoBase + (slotOf(nid) ?? 0),
  };
}
