import { setImmediate } from 'node:timers/promises';
import { ErofsCorruptError, ErofsUnsupportedError } from '../errors';
import { CBLKCNT, EXTENT_LENGTH_MAX, LCLUSTER_TYPE, PCLUSTER_SIZE_MAX } from '../format/compression';
import { DATA_LAYOUT } from '../format/inode';
import type { ImageSources } from '../image-sources';
import type { Inode } from '../inode';
import { settle, waitFor, type Steps } from '../steps';
import { CompactIndex } from './compact-index';
import type { CompressionConfiguration } from './configuration';
import { checkPcluster, extentEnd, type Coding, type Extent, type ExtentMap } from './extent';
import { FullIndex } from './full-index';
import type { Lcluster, LclusterIndex } from './lcluster';
import type { IndexedHeader } from './map-header';

/**
 * Index records that one search may look at in one direction. Sound indexes name the distance to the head at once, or in
 * steps of 2047 lclusters; only those of the first mkfs go on one by one, for 255 lclusters at most.
 */
const STEPS_MAX = 4096;

/** A long search lets others have their turn each time it has made so many steps: records in memory cost no wait. */
const STEPS_A_TURN = 1024;

/** Lclusters that one run looks at, and how many behind the last wanted byte: the head there ends the last extent. */
const RUN_MAX = 512;
const RUN_MARGIN = 8;

/** The beginning of an extent. */
interface Head {
  readonly number: number;
  readonly entry: Lcluster;
}

/**
 * Extents of a file with an index of lclusters. Only what a search needs of the index is read: the entry of the wanted
 * byte, those on the way back to the head, and those on the way to the next one.
 */
export class IndexMap implements ExtentMap {
  readonly #index: LclusterIndex;
  readonly #clusterSize: number;
  readonly #total: number;
  /** The extent that was found last: sequential reads ask for it again. */
  #last: Extent | undefined;
  #tail: Head | undefined;

  constructor(
    private readonly image: ImageSources,
    private readonly inode: Inode,
    private readonly header: IndexedHeader,
    private readonly configuration: CompressionConfiguration,
  ) {
    const Index = inode.layout === DATA_LAYOUT.COMPRESSED_COMPACT ? CompactIndex : FullIndex;
    this.#index = new Index(image, inode, header);
    this.#clusterSize = 2 ** header.clusterBits;
    this.#total = Math.ceil(inode.size / this.#clusterSize);
  }

  find(offset: number): Extent | Promise<Extent> {
    const last = this.#last;
    if (last !== undefined && offset >= last.start && offset < extentEnd(last)) return last;
    return settle(this.#search(offset));
  }

  findRun(offset: number, end: number): readonly Extent[] | Promise<readonly Extent[]> {
    return settle(this.#searchRun(offset, end));
  }

  async check(): Promise<void> {
    let head = 0;
    // Lclusters before this one start no extent, says the index.
    let nextHead = 0;
    for (let number = 0; number < this.#total; number++) {
      if (number % STEPS_A_TURN === STEPS_A_TURN - 1) await setImmediate();
      const start = number * this.#clusterSize;
      const entry = await this.#load(number);
      const begins = entry.type !== LCLUSTER_TYPE.NONHEAD;
      if (begins && number < nextHead) {
        throw this.#corrupt(
          'lcluster',
          start,
          `lcluster ${number} is a head, one before it says that none is`,
        );
      }
      if (begins && entry.clusterOffset === 0) head = number;
      const found = await settle(this.#head(start));
      if (found.number !== head) {
        throw this.#corrupt(
          'lcluster',
          start,
          `lcluster ${number} leads to head ${found.number}, not ${head}`,
        );
      }
      if (begins) head = number;
      else nextHead = Math.max(nextHead, number + entry.distanceOn);
    }
  }

  *#search(offset: number): Steps<Extent> {
    const extent = yield* this.#extentOf(yield* this.#head(offset), offset);
    if (offset < extent.start || offset >= extentEnd(extent)) {
      throw this.#corrupt('lcluster', offset, `the extent found for it ends at ${extentEnd(extent)}`);
    }
    this.#last = extent;
    return extent;
  }

  /** One read of the index finds all heads of a stretch. The last one's extent ends somewhere behind it. */
  *#searchRun(offset: number, end: number): Steps<readonly Extent[]> {
    const first = yield* waitFor(this.find(offset));
    const from = Math.floor(extentEnd(first) / this.#clusterSize);
    const count = Math.min(
      Math.ceil(end / this.#clusterSize) + RUN_MARGIN - from,
      this.#total - from,
      RUN_MAX,
    );
    if (extentEnd(first) >= end || count < 1) return [first];
    try {
      const tail = yield* this.#tailHead();
      const entries = yield* waitFor(this.#index.loadRun(from, count));
      return this.#extentsOf(first, from, entries, tail?.number);
    } catch {
      // The failure may be behind what is wanted: a search for that will tell.
      return [first];
    }
  }

  /** The extents behind `before`, as far as `entries`, which begin with lcluster `from`, tell where they end. */
  #extentsOf(
    before: Extent,
    from: number,
    entries: readonly Lcluster[],
    tail: number | undefined,
  ): readonly Extent[] {
    const extents = [before];
    let head: Head | undefined;
    let last = before;
    for (const [index, loaded] of entries.entries()) {
      const number = from + index;
      const entry = this.#checked(loaded, number);
      if (entry.type === LCLUSTER_TYPE.NONHEAD) continue;
      const next: Head = { number, entry };
      const start = this.#startOf(next);
      if (head !== undefined) {
        const blocks = this.#blocksSaid(head, entries[head.number + 1 - from], this.#startOf(head));
        if (blocks === 0) break;
        last = this.#pclusterOf(head, Math.min(start, this.inode.size) - this.#startOf(head), blocks);
        extents.push(last);
      }
      // Where the index contradicts itself, and where extents are no pclusters, each is searched for.
      if (start !== extentEnd(last) || entry.hole || number === tail) break;
      head = next;
    }
    this.#last = last;
    return extents;
  }

  *#extentOf(head: Head, wanted: number): Steps<Extent> {
    const start = this.#startOf(head);
    const tail = yield* this.#tailHead();
    if (tail?.number === head.number) return this.#tailExtent(tail, start);
    const blocks = head.entry.hole ? 0 : yield* this.#blocksOf(head, start);
    // All lclusters up to the wanted one belong to a hole that its head was found for: the search may begin there.
    const from = Math.max(head.number + 1, blocks === 0 ? Math.floor(wanted / this.#clusterSize) : 0);
    const length = (yield* this.#endOf(from, start, blocks === 0)) - start;
    if (blocks === 0) return { kind: 'hole', start, length };
    return this.#pclusterOf(head, length, blocks);
  }

  #pclusterOf(head: Head, length: number, blocks: number): Extent {
    const { blockSize } = this.image.superblock;
    const { partial, block } = head.entry;
    const extent: Extent = {
      kind: 'pcluster',
      start: this.#startOf(head),
      length,
      inline: false,
      position: block * blockSize,
      size: blocks * blockSize,
      coding: this.#codingOf(head),
      partial,
    };
    return checkPcluster(extent, this.image, this.configuration, this.inode);
  }

  /** The last extent is inline or in the packed file. */
  #tailExtent(head: Head, start: number): Extent {
    const { tailFragmentLow, inlineSize } = this.header;
    const length = this.inode.size - start;
    if (tailFragmentLow !== undefined) {
      const full = this.inode.layout === DATA_LAYOUT.COMPRESSED_FULL;
      const offset = tailFragmentLow + (full ? head.entry.block * 2 ** 32 : 0);
      return { kind: 'fragment', start, length, offset };
    }
    const position = this.#index.endOf(this.#total - 1);
    if ((position % this.image.superblock.blockSize) + inlineSize > this.image.superblock.blockSize) {
      throw this.#corrupt('map header.inlineSize', start, `${inlineSize} bytes cross a block`);
    }
    const { partial } = head.entry;
    const coding = this.#codingOf(head);
    const extent: Extent = {
      kind: 'pcluster',
      start,
      length,
      inline: true,
      position,
      size: inlineSize,
      coding,
      partial,
    };
    return checkPcluster(extent, this.image, this.configuration, this.inode);
  }

  /** Head of the last extent, where that one is stored elsewhere than in blocks. */
  *#tailHead(): Steps<Head | undefined> {
    const { tailFragmentLow, inlineSize } = this.header;
    if (tailFragmentLow === undefined && inlineSize === 0) return undefined;
    this.#tail ??= yield* this.#head(this.inode.size - 1);
    return this.#tail;
  }

  /** The head of the extent that holds a byte: in its lcluster, or some way back. */
  *#head(offset: number): Steps<Head> {
    const wanted = Math.floor(offset / this.#clusterSize);
    const entry = yield* waitFor(this.#load(wanted));
    if (entry.type !== LCLUSTER_TYPE.NONHEAD && offset % this.#clusterSize >= entry.clusterOffset) {
      return { number: wanted, entry };
    }
    let number = wanted;
    let back = entry.type === LCLUSTER_TYPE.NONHEAD ? entry.distanceBack : 1;
    for (let step = 0; step < STEPS_MAX; step++) {
      if (step % STEPS_A_TURN === STEPS_A_TURN - 1) yield setImmediate();
      if (back < 1 || back > number) {
        throw this.#corrupt('lcluster', offset, `lcluster ${number} says its head is ${back} before it`);
      }
      number -= back;
      const candidate = yield* waitFor(this.#load(number));
      if (candidate.type !== LCLUSTER_TYPE.NONHEAD) return { number, entry: candidate };
      back = candidate.distanceBack;
    }
    throw this.#corrupt('lcluster', offset, `no head within ${STEPS_MAX} steps back`);
  }

  /** Blocks of a pcluster: said by the lcluster after its head, else one. 0: there is none, a hole (Linux 7.2). */
  *#blocksOf(head: Head, start: number): Steps<number> {
    if (!this.#isBig(head) || head.number + 1 >= this.#total) return 1;
    return this.#blocksSaid(head, yield* waitFor(this.#load(head.number + 1)), start);
  }

  #isBig({ entry }: Head): boolean {
    return this.header.bigPclusters[entry.type === LCLUSTER_TYPE.HEAD1 ? 0 : 1];
  }

  /** The same, by the entry of the lcluster after the head. */
  #blocksSaid(head: Head, next: Lcluster | undefined, start: number): number {
    if (next === undefined || !this.#isBig(head)) return 1;
    if (next.type !== LCLUSTER_TYPE.NONHEAD) return 1;
    // Where the largest pcluster has as many blocks as the count has values, mkfs writes that size as 0.
    const ambiguous = next.blocks === 0 && PCLUSTER_SIZE_MAX / this.image.superblock.blockSize >= CBLKCNT;
    if (next.blocks !== undefined && !ambiguous) return next.blocks;
    throw this.#corrupt('lcluster', start, `lcluster ${head.number + 1} says no size of the pcluster`);
  }

  /**
   * Where the extent ends: at the next head or with the file. `from` is the first lcluster that may tell. A hole is cut
   * where the search gets long.
   */
  *#endOf(from: number, start: number, hole: boolean): Steps<number> {
    const { size } = this.inode;
    let next = from;
    for (let step = 0; step < STEPS_MAX; step++) {
      if (step % STEPS_A_TURN === STEPS_A_TURN - 1) yield setImmediate();
      if (next >= this.#total) return size;
      const entry = yield* waitFor(this.#load(next));
      if (entry.type !== LCLUSTER_TYPE.NONHEAD) {
        return Math.min(next * this.#clusterSize + entry.clusterOffset, size);
      }
      if (!hole && next * this.#clusterSize - start > EXTENT_LENGTH_MAX) break;
      next += Math.max(1, entry.distanceOn);
    }
    if (hole) return Math.min(next * this.#clusterSize, size);
    const site = {
      image: this.image.label,
      nid: this.inode.nid,
      offset: start,
      inData: true,
      field: 'extent',
    };
    throw new ErofsUnsupportedError(site, `it decodes to more than ${EXTENT_LENGTH_MAX} bytes`);
  }

  #load(number: number): Lcluster | Promise<Lcluster> {
    const loaded = this.#index.load(number);
    return loaded instanceof Promise
      ? loaded.then((entry) => this.#checked(entry, number))
      : this.#checked(loaded, number);
  }

  #checked(entry: Lcluster, number: number): Lcluster {
    const start = number * this.#clusterSize;
    if (entry.clusterOffset >= this.#clusterSize) {
      throw this.#corrupt(
        'lcluster',
        start,
        `an extent starts ${entry.clusterOffset} bytes into lcluster ${number}`,
      );
    }
    const [first, second] = this.header.bigPclusters;
    if (entry.blocks !== undefined && !first && !second) {
      throw this.#corrupt('lcluster', start, `lcluster ${number} counts blocks, but none may be several`);
    }
    return entry;
  }

  #codingOf({ entry }: Head): Coding {
    if (entry.type === LCLUSTER_TYPE.PLAIN) return this.header.interlaced ? 'interlaced' : 'shifted';
    return this.header.algorithms[entry.type === LCLUSTER_TYPE.HEAD2 ? 1 : 0];
  }

  #startOf({ number, entry }: Head): number {
    return number * this.#clusterSize + entry.clusterOffset;
  }

  #corrupt(field: string, offset: number, problem: string): ErofsCorruptError {
    return new ErofsCorruptError(
      { image: this.image.label, nid: this.inode.nid, offset, inData: true, field },
      problem,
    );
  }
}
