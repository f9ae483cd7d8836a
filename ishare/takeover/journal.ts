import { closeSync, ftruncateSync, openSync } from 'node:fs';
import type { BackingId, NodeId } from '../../fuse/file-system';
import { MappedFile } from '../../linux/mapped-file';

/** The file: a header, the numbers of answered requests, records. All of it is 32-bit words, little-endian. */
const HEADER = { magic: 0, version: 1, next: 2, words: 16 } as const;
const ANSWERED = { start: HEADER.words, count: 512, wordsEach: 2 } as const;
const RECORDS_START = ANSWERED.start + ANSWERED.count * ANSWERED.wordsEach;
/** A record; `kind` is written last when one is made, so that half a record is none. */
const RECORD = { kind: 0, count: 1, nodeLow: 2, nodeHigh: 3, otherLow: 4, otherHigh: 5, words: 8 } as const;
/** So many fit. The file is sparse: what is not used takes no memory. */
const CAPACITY = 1 << 20;

const MAGIC = 0x6b617473;
/** Of this layout: another one is not read. */
export const JOURNAL_VERSION = 1;
const WORD = 2 ** 32;
/** Set in the number of a request that comes again (FUSE_UNIQUE_RESEND, include/uapi/linux/fuse.h). */
const RESENT = 1n << 63n;

const KIND = { FREE: 0, OPEN: 1, BACKING: 2, OWN: 3 } as const;
type Kind = Exclude<(typeof KIND)[keyof typeof KIND], 0>;

/** Files that are open through an inode of the images mount. */
export interface OpenRecord {
  readonly node: NodeId;
  /** The dedup inode that serves them; undefined: none. */
  readonly dedupNode: NodeId | undefined;
  readonly count: number;
}

/**
 * What the next process cannot derive: which files are open, on which dedup inodes, by which backing ids. A file that is
 * mapped into memory: writing to it costs nothing, and it is complete however this process ends.
 */
export class TakeoverJournal implements Disposable {
  readonly #file: MappedFile;
  readonly #words: Uint32Array;
  /** Slots of records by kind and node. */
  readonly #slots: Readonly<Record<Kind, Map<NodeId, number>>> = {
    [KIND.OPEN]: new Map(),
    [KIND.BACKING]: new Map(),
    [KIND.OWN]: new Map(),
  };
  readonly #answered = new Set<bigint>();
  readonly #free: number[] = [];
  #used = 0;

  private constructor(file: MappedFile) {
    this.#file = file;
    this.#words = new Uint32Array(file.bytes.buffer, file.bytes.byteOffset, file.bytes.length / 4);
  }

  /** An empty journal, in place of whatever was there. */
  static create(path: string): TakeoverJournal {
    const fd = openSync(path, 'w', 0o600);
    try {
      ftruncateSync(fd, (RECORDS_START + CAPACITY * RECORD.words) * 4);
    } finally {
      closeSync(fd);
    }
    const journal = new TakeoverJournal(MappedFile.open(path));
    journal.#words[HEADER.version] = JOURNAL_VERSION;
    journal.#words[HEADER.magic] = MAGIC;
    return journal;
  }

  /** The journal that another process has kept, or undefined for a file that is none of this version. */
  static open(path: string): TakeoverJournal | undefined {
    const file = MappedFile.open(path);
    const journal = new TakeoverJournal(file);
    const words = journal.#words;
    const whole = words.length === RECORDS_START + CAPACITY * RECORD.words;
    if (!whole || words[HEADER.magic] !== MAGIC || words[HEADER.version] !== JOURNAL_VERSION) {
      file[Symbol.dispose]();
      return undefined;
    }
    journal.#load();
    return journal;
  }

  /** Whether the effect of this request is in the journal already, though its answer may not have left. */
  answered(unique: bigint): boolean {
    return (unique & RESENT) !== 0n && this.#answered.has(unique & ~RESENT);
  }

  *opens(): Generator<OpenRecord> {
    for (const [node, slot] of this.#slots[KIND.OPEN]) {
      yield { node, dedupNode: this.#other(slot), count: this.#word(slot, RECORD.count) };
    }
  }

  /** Nodes of the dedup inodes that files had for themselves, with the inodes of the images mount that they belong to. */
  *owns(): Generator<{ readonly dedupNode: NodeId; readonly node: NodeId }> {
    for (const [dedupNode, slot] of this.#slots[KIND.OWN]) {
      const node = this.#other(slot);
      if (node !== undefined) yield { dedupNode, node };
    }
  }

  /** Dedup inodes that were registered as backing files, with their ids. */
  *backings(): Generator<{ readonly dedupNode: NodeId; readonly id: BackingId }> {
    for (const [dedupNode, slot] of this.#slots[KIND.BACKING]) yield { dedupNode, id: this.#idIn(slot) };
  }

  backingOf(dedupNode: NodeId): BackingId | undefined {
    const slot = this.#slots[KIND.BACKING].get(dedupNode);
    return slot === undefined ? undefined : this.#idIn(slot);
  }

  /** One more file is open; `unique` is the number of the request. */
  opened(node: NodeId, dedupNode: NodeId | undefined, unique: bigint): void {
    const slot = this.#slots[KIND.OPEN].get(node);
    if (slot === undefined) this.#add(KIND.OPEN, node, 1, dedupNode);
    else this.#setWord(slot, RECORD.count, this.#word(slot, RECORD.count) + 1);
    this.#noteAnswered(unique);
  }

  /** One file fewer is open. */
  closed(node: NodeId, unique: bigint): void {
    const slot = this.#slots[KIND.OPEN].get(node);
    const count = slot === undefined ? 0 : this.#word(slot, RECORD.count);
    if (slot !== undefined && count > 1) this.#setWord(slot, RECORD.count, count - 1);
    else this.#drop(KIND.OPEN, node);
    this.#noteAnswered(unique);
  }

  registered(dedupNode: NodeId, id: BackingId): void {
    this.#drop(KIND.BACKING, dedupNode);
    this.#add(KIND.BACKING, dedupNode, id, undefined);
  }

  unregistered(dedupNode: NodeId): void {
    this.#drop(KIND.BACKING, dedupNode);
  }

  ownMade(dedupNode: NodeId, node: NodeId): void {
    this.#drop(KIND.OWN, dedupNode);
    this.#add(KIND.OWN, dedupNode, 0, node);
  }

  ownGone(dedupNode: NodeId): void {
    this.#drop(KIND.OWN, dedupNode);
  }

  /** Forgets that a file is open, whatever the count. */
  forgetOpen(node: NodeId): void {
    this.#drop(KIND.OPEN, node);
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }

  #load(): void {
    const slots = Math.min(this.#words[HEADER.next] ?? 0, CAPACITY);
    for (let slot = 0; slot < slots; slot += 1) {
      const kind = this.#word(slot, RECORD.kind);
      if (kind === KIND.OPEN || kind === KIND.BACKING || kind === KIND.OWN) {
        this.#slots[kind].set(this.#node(slot, RECORD.nodeLow), slot);
      } else this.#free.push(slot);
    }
    this.#used = slots;
    for (let index = 0; index < ANSWERED.count; index += 1) {
      const at = ANSWERED.start + index * ANSWERED.wordsEach;
      const unique = (BigInt(this.#words[at + 1] ?? 0) << 32n) | BigInt(this.#words[at] ?? 0);
      if (unique !== 0n) this.#answered.add(unique);
    }
  }

  /** A full journal keeps no more: a takeover then takes such a file for closed. */
  #add(kind: Kind, node: NodeId, count: number, other: NodeId | undefined): void {
    const slot = this.#free.pop() ?? (this.#used < CAPACITY ? this.#used++ : undefined);
    if (slot === undefined) return;
    this.#setWord(slot, RECORD.count, count);
    this.#setNode(slot, RECORD.nodeLow, node);
    this.#setNode(slot, RECORD.otherLow, other ?? 0);
    this.#setWord(slot, RECORD.kind, kind);
    if (this.#used > (this.#words[HEADER.next] ?? 0)) this.#words[HEADER.next] = this.#used;
    this.#slots[kind].set(node, slot);
  }

  #drop(kind: Kind, node: NodeId): void {
    const slot = this.#slots[kind].get(node);
    if (slot === undefined) return;
    this.#setWord(slot, RECORD.kind, KIND.FREE);
    this.#slots[kind].delete(node);
    this.#free.push(slot);
  }

  /** The latest numbers are enough: what is answered right after it was noted cannot have been long ago. */
  #noteAnswered(unique: bigint): void {
    const number = unique & ~RESENT;
    const index = Number((number >> 1n) % BigInt(ANSWERED.count));
    const at = ANSWERED.start + index * ANSWERED.wordsEach;
    this.#words[at + 1] = Number(number >> 32n);
    this.#words[at] = Number(number & 0xffff_ffffn);
  }

  #other(slot: number): NodeId | undefined {
    const node = this.#node(slot, RECORD.otherLow);
    return node === 0 ? undefined : node;
  }

  #idIn(slot: number): BackingId {
    return this.#word(slot, RECORD.count) as BackingId;
  }

  #node(slot: number, field: number): NodeId {
    return (this.#word(slot, field) + this.#word(slot, field + 1) * WORD) as NodeId;
  }

  #setNode(slot: number, field: number, node: number): void {
    this.#setWord(slot, field, node % WORD);
    this.#setWord(slot, field + 1, Math.floor(node / WORD));
  }

  #word(slot: number, field: number): number {
    return this.#words[RECORDS_START + slot * RECORD.words + field] ?? 0;
  }

  #setWord(slot: number, field: number, value: number): void {
    this.#words[RECORDS_START + slot * RECORD.words + field] = value;
  }
}
