import type { Nid } from '../erofs/brands';
import type { NodeId } from '../fuse/file-system';
import type { Fingerprint } from './fingerprint';
import { NumberMap } from './number-map';
import { RecordPages } from './record-pages';

/** Words of the record of an inode; its digest takes four. */
const DIGEST = 0;
const DIGEST_WORDS = 4;
const SIZE = 4;
const DOMAIN = 5;
const LAST_BACKING = 6;
const INODE_WORDS = 7;

/** Words of the record of a backing inode. */
const ATTACHMENT = 0;
const NID = 1;
/** The one that came before it. */
const BEFORE = 2;
const BACKING_WORDS = 3;

const NONE = -1;

/** A dedup inode that has done nothing yet but to be known. */
export interface DormantInode {
  readonly domainId: number;
  readonly fingerprint: Fingerprint;
  /** Bytes. */
  readonly size: number;
}

/** An EROFS inode that can supply the bytes. */
export interface DormantBacking {
  readonly attachmentId: number;
  readonly nid: Nid;
}

/**
 * Dedup inodes that nobody has opened, which is true of nearly all: there may be a million, and as objects each would take
 * several times the 130 bytes that it takes here, with its entries in this and in its image.
 */
export class DormantInodes {
  readonly #records = new NumberMap();
  readonly #inodes = new RecordPages(INODE_WORDS);
  readonly #backings = new RecordPages(BACKING_WORDS);

  has(node: NodeId): boolean {
    return this.#records.has(node);
  }

  get(node: NodeId): DormantInode | undefined {
    const record = this.#records.get(node);
    if (record === undefined) return undefined;
    return {
      domainId: this.#inodes.get(record, DOMAIN),
      fingerprint: this.#inodes.view(record, DIGEST, DIGEST_WORDS).toString('hex') as Fingerprint,
      size: this.#inodes.get(record, SIZE),
    };
  }

  /** One that is not here. */
  add(node: NodeId, { domainId, fingerprint, size }: DormantInode): void {
    const record = this.#inodes.take();
    this.#inodes.view(record, DIGEST, DIGEST_WORDS).write(fingerprint, 'hex');
    this.#inodes.set(record, DOMAIN, domainId);
    this.#inodes.set(record, SIZE, size);
    this.#inodes.set(record, LAST_BACKING, NONE);
    this.#records.set(node, record);
  }

  addBacking(node: NodeId, { attachmentId, nid }: DormantBacking): void {
    const record = this.#record(node);
    const backing = this.#backings.take();
    this.#backings.set(backing, ATTACHMENT, attachmentId);
    this.#backings.set(backing, NID, nid);
    this.#backings.set(backing, BEFORE, this.#inodes.get(record, LAST_BACKING));
    this.#inodes.set(record, LAST_BACKING, backing);
  }

  /** In the order in which they came. */
  backings(node: NodeId): DormantBacking[] {
    const backings: DormantBacking[] = [];
    const last = this.#inodes.get(this.#record(node), LAST_BACKING);
    for (let at = last; at !== NONE; at = this.#backings.get(at, BEFORE))
      backings.push({
        attachmentId: this.#backings.get(at, ATTACHMENT),
        nid: this.#backings.get(at, NID) as Nid,
      });
    return backings.reverse();
  }

  /** True: it was the last, and the inode has gone with it. */
  removeBacking(node: NodeId, { attachmentId, nid }: DormantBacking): boolean {
    const record = this.#record(node);
    let behind = NONE;
    let at = this.#inodes.get(record, LAST_BACKING);
    while (at !== NONE && !this.#isBacking(at, attachmentId, nid)) {
      behind = at;
      at = this.#backings.get(at, BEFORE);
    }
    if (at === NONE) return false;
    const before = this.#backings.get(at, BEFORE);
    if (behind === NONE) this.#inodes.set(record, LAST_BACKING, before);
    else this.#backings.set(behind, BEFORE, before);
    this.#backings.giveBack(at);
    if (this.#inodes.get(record, LAST_BACKING) !== NONE) return false;
    this.remove(node);
    return true;
  }

  /** With its backing inodes. */
  remove(node: NodeId): void {
    const record = this.#record(node);
    for (let at = this.#inodes.get(record, LAST_BACKING); at !== NONE;) {
      const before = this.#backings.get(at, BEFORE);
      this.#backings.giveBack(at);
      at = before;
    }
    this.#inodes.giveBack(record);
    this.#records.delete(node);
  }

  /** Nothing may be added or removed meanwhile. In no order. */
  *nodes(): Generator<NodeId> {
    for (const [node] of this.#records) yield node as NodeId;
  }

  #isBacking(backing: number, attachmentId: number, nid: Nid): boolean {
    return (
      this.#backings.get(backing, ATTACHMENT) === attachmentId && this.#backings.get(backing, NID) === nid
    );
  }

  #record(node: NodeId): number {
    const record = this.#records.get(node);
    if (record === undefined) throw new RangeError(`no dormant inode has the node number ${node}`);
    return record;
  }
}
