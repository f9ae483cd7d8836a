import { isMetaboxNid } from '../brands';
import type { ByteSource } from '../byte-source';
import { ErofsCorruptError, type ErofsErrorSite } from '../errors';
import type { Algorithm } from '../format/compression';
import type { ImageSources } from '../image-sources';
import type { Inode } from '../inode';
import { readRange } from '../read-range';
import type { Extent, PclusterExtent } from './extent';
import { RawRuns, type RawRange } from './raw-runs';

/** A part of an extent that a read wants. */
export interface Piece {
  readonly extent: Extent;
  /** Bytes of the extent before the part. */
  readonly skip: number;
  /** Bytes, at least 1. */
  readonly length: number;
}

/**
 * Reads from this size on decode straight into their result where they want all of an extent, and keep no copy: who reads
 * so much has a cache of its own, or reads on. Others may come back for the same pcluster.
 */
const UNCACHED_READ = 16 * 1024;

/** What is to be read, and what is to be done with it then. */
interface Job {
  readonly ticket: number;
  finish(raw: Buffer): void | Promise<void>;
}

/** Gives the bytes of pieces of one inode, for one read: at once where all is in memory and decoded at once. */
export class PieceReader {
  constructor(
    private readonly image: ImageSources,
    private readonly inode: Inode,
    /** Bytes that the read wants in all. */
    private readonly wanted: number,
  ) {}

  /** The bytes of one piece; maybe a view of the cache. */
  read(piece: Piece): Buffer | Promise<Buffer> {
    const { extent, skip, length } = piece;
    if (extent.kind === 'hole') return Buffer.alloc(length);
    if (extent.kind === 'fragment') return this.#readFragment(extent.offset + skip, length);
    const coding = extent.coding;
    if (typeof coding === 'string') {
      const raw = this.#readRaw(this.#rangeOf(piece, extent));
      return coding === 'shifted' ? raw : whenThere(raw, (bytes) => this.#unrotate(piece, extent, bytes));
    }
    const cut = (decoded: Buffer): Buffer => decoded.subarray(skip, skip + length);
    const cached = this.#cached(extent, coding);
    if (cached !== undefined) return whenThere(cached, cut);
    const raw = this.#readRaw(this.#rangeOf({ extent, skip: 0, length: extent.length }, extent));
    if (raw instanceof Promise || !this.#isWanted(piece)) {
      return whenThere(this.#decodeAndKeep(extent, coding, raw), cut);
    }
    return this.#decode(extent, coding, raw);
  }

  /** Fills `output` with pieces that follow one another. Pclusters that are neighbours on disk are read together. */
  fill(pieces: readonly Piece[], output: Buffer): void | Promise<void> {
    const runs = new RawRuns();
    const jobs: Job[] = [];
    const pending: Promise<void>[] = [];
    let at = 0;
    for (const piece of pieces) {
      const target = output.subarray(at, at + piece.length);
      at += piece.length;
      attempt(pending, () => this.#plan(piece, target, runs, jobs));
    }
    const reads = runs.read((range) => this.#readRaw(range));
    for (const job of jobs) {
      attempt(pending, () => whenThere(reads(job.ticket), (raw) => job.finish(raw)));
    }
    // Also where nothing is pending any more: what failed at once is among them.
    if (pending.length > 0) return Promise.all(pending).then(() => undefined);
  }

  /** Fills the target from memory, or announces what it needs from the disk and what is to be done then. */
  #plan(piece: Piece, target: Buffer, runs: RawRuns, jobs: Job[]): void | Promise<void> {
    const { extent, skip, length } = piece;
    if (extent.kind === 'hole') {
      target.fill(0);
      return;
    }
    if (extent.kind === 'fragment') {
      return whenThere(this.#readFragment(extent.offset + skip, length), (bytes) => copyTo(target, bytes));
    }
    const { coding } = extent;
    if (typeof coding === 'string') {
      const finish = (raw: Buffer): void =>
        copyTo(target, coding === 'shifted' ? raw : this.#unrotate(piece, extent, raw));
      jobs.push({ ticket: runs.want(this.#rangeOf(piece, extent)), finish });
      return;
    }
    const cut = (decoded: Buffer): void => copyTo(target, decoded.subarray(skip, skip + length));
    const cached = this.#cached(extent, coding);
    if (cached !== undefined) return whenThere(cached, cut);
    const ticket = runs.want(this.#rangeOf(piece, extent));
    if (this.#isWanted(piece)) {
      const finish = (raw: Buffer): void | Promise<void> =>
        whenThere(this.#decode(extent, coding, raw, target), () => undefined);
      jobs.push({ ticket, finish });
      return;
    }
    // Another piece of the read, or another reader, may have decoded it meanwhile.
    const finish = (raw: Buffer): void | Promise<void> =>
      whenThere(this.#cached(extent, coding) ?? this.#decodeAndKeep(extent, coding, raw), cut);
    jobs.push({ ticket, finish });
  }

  /** Whether a read wants all of an extent and is so long that nobody keeps a copy. */
  #isWanted({ extent, length }: Piece): boolean {
    return this.wanted >= UNCACHED_READ && length === extent.length;
  }

  #cached(extent: PclusterExtent, coding: Algorithm): Buffer | Promise<Buffer> | undefined {
    return this.image.compression.decoded.get(this.#keyOf(extent, coding), extent.length);
  }

  #decodeAndKeep(
    extent: PclusterExtent,
    coding: Algorithm,
    raw: Buffer | Promise<Buffer>,
  ): Buffer | Promise<Buffer> {
    const decoded = whenThere(raw, (bytes) => this.#decode(extent, coding, bytes));
    return this.image.compression.decoded.add(this.#keyOf(extent, coding), extent.length, decoded);
  }

  #decode(extent: PclusterExtent, coding: Algorithm, raw: Buffer, into?: Buffer): Buffer | Promise<Buffer> {
    const { configuration, decoder } = this.image.compression;
    const site = this.#siteOf(extent);
    const { zeroPadding } = configuration;
    const input = zeroPadding ? this.#withoutPadding(extent, raw, site) : raw;
    // Zeros may follow the stream where they do not come before it.
    const partial = extent.partial || !zeroPadding;
    return decoder.decode(coding, input, extent.length, { partial, configuration, site, into });
  }

  /** Streams end with their pcluster and do not start with a zero; zeros fill up its first block. */
  #withoutPadding(extent: PclusterExtent, raw: Buffer, site: ErofsErrorSite): Buffer {
    const { blockSize } = this.image.superblock;
    const limit = Math.min(raw.length, blockSize - (extent.position % blockSize));
    let start = 0;
    while (start < limit && raw[start] === 0) start++;
    if (start === limit) throw new ErofsCorruptError(site, 'nothing but zeros where a stream should begin');
    return raw.subarray(start);
  }

  /** What must be read for a piece: all of a pcluster, but of one that is stored as it is no more than wanted. */
  #rangeOf({ skip, length }: Piece, extent: PclusterExtent): RawRange {
    const shifted = extent.coding === 'shifted';
    const position = extent.position + (shifted ? skip : 0);
    const size = shifted ? length : extent.size;
    if (extent.inline) return { source: this.image.home(this.inode.nid), position, size };
    return { ...this.#locate(position), size };
  }

  #locate(position: number): { source: ByteSource; position: number } {
    const { blockSize } = this.image.superblock;
    const block = Math.floor(position / blockSize);
    const place = this.image.devices.locate(0, block, this.inode.nid);
    return { source: place.source ?? this.image.data, position: place.position + (position % blockSize) };
  }

  /** Bytes keep their place in the block: what starts the extent stands at the end of the pcluster. */
  #unrotate({ skip, length }: Piece, extent: PclusterExtent, raw: Buffer): Buffer {
    const { blockSize } = this.image.superblock;
    const right = Math.min(blockSize - (extent.start % blockSize), raw.length);
    const turned = Buffer.concat([raw.subarray(raw.length - right), raw.subarray(0, raw.length - right)]);
    return turned.subarray(skip, skip + length);
  }

  async #readFragment(offset: number, length: number): Promise<Buffer> {
    const packed = await this.image.packed(this.inode.nid);
    return readRange(packed, offset, length, this.inode.nid, 'map header.fragmentOffset');
  }

  #readRaw({ source, position, size }: RawRange): Buffer | Promise<Buffer> {
    return readRange(source, position, size, this.inode.nid, 'pcluster');
  }

  #keyOf({ inline, position, size }: PclusterExtent, coding: Algorithm): string {
    const home = inline ? (isMetaboxNid(this.inode.nid) ? 'metabox' : 'inline') : '';
    return `${home}${position}/${size}/${coding}`;
  }

  #siteOf({ start }: PclusterExtent): ErofsErrorSite {
    return { image: this.image.label, nid: this.inode.nid, offset: start, inData: true, field: 'pcluster' };
  }
}

/** Calls `use` with a value, at once where it is there. */
function whenThere<Value, Result>(
  value: Value | Promise<Value>,
  use: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> {
  return value instanceof Promise ? value.then(use) : use(value);
}

/** Does work of which many parts may be under way: what fails at once must not leave the others unheard. */
function attempt(pending: Promise<void>[], work: () => void | Promise<void>): void {
  try {
    const done = work();
    if (done instanceof Promise) pending.push(done);
  } catch (error) {
    pending.push(Promise.reject(error instanceof Error ? error : new Error(String(error))));
  }
}

function copyTo(target: Buffer, bytes: Buffer): void {
  bytes.copy(target);
}
