import { isMetaboxNid } from '../brands';
import { ErofsCorruptError, type ErofsErrorSite } from '../errors';
import type { Algorithm } from '../format/compression';
import type { ImageSources } from '../image-sources';
import type { Inode } from '../inode';
import type { Allocate } from '../layout/data-layout';
import { readRange, useRange } from '../read-range';
import type { PclusterHome } from './decoded-cache';
import type { Extent, PclusterExtent } from './extent';
import { RawRuns, type RawRange, type RawRun } from './raw-runs';

/** A part of an extent that a read wants. */
export interface Piece {
  readonly extent: Extent;
  /** Bytes of the extent before the part. */
  readonly skip: number;
  /** Bytes, at least 1. */
  readonly length: number;
  /** Where it belongs in what is read (bytes). */
  readonly at: number;
}

interface PclusterPiece extends Piece {
  readonly extent: PclusterExtent;
}

/** Gives the bytes of pieces of one inode, for one read: at once where all is in memory and decoded at once. */
export class PieceReader {
  constructor(
    private readonly image: ImageSources,
    private readonly inode: Inode,
    private readonly allocate: Allocate,
  ) {}

  /** The bytes of one piece; maybe a view of the cache. */
  read(piece: Piece): Buffer | Promise<Buffer> {
    const { extent, skip, length } = piece;
    if (isPclusterPiece(piece)) return this.#readPcluster(piece);
    return extent.kind === 'fragment'
      ? this.#readFragment(extent.offset + skip, length)
      : Buffer.alloc(length);
  }

  #readPcluster(piece: PclusterPiece): Buffer | Promise<Buffer> {
    const { extent, skip, length } = piece;
    const { coding } = extent;
    const range = this.#rangeOf(piece);
    if (coding === 'shifted') return this.#useRaw(range, (raw) => this.#copyOf(raw));
    if (coding === 'interlaced') return this.#useRaw(range, (raw) => this.#unrotate(piece, raw));
    const cut = (decoded: Buffer): Buffer => decoded.subarray(skip, skip + length);
    const cached = this.#cached(extent);
    if (cached !== undefined) return whenThere(cached, cut);
    if (wantsAll(piece))
      return this.#useRaw(range, (raw) => this.#decode(extent, coding, raw, this.allocate(length)));
    const decoded = this.#useRaw(range, (raw) => this.#decode(extent, coding, raw));
    return whenThere(this.#keep(extent, decoded), cut);
  }

  /** Puts pieces where they belong in `output`. Pclusters that are neighbours on disk are read together. */
  fill(pieces: readonly Piece[], output: Buffer): void | Promise<void> {
    const runs = new RawRuns<PclusterPiece>();
    return together((pending) => {
      for (const piece of pieces) add(pending, this.#plan(piece, output, runs));
      for (const run of runs.runs)
        add(
          pending,
          this.#useRaw(run, (raw) => this.#finish(run, raw, output)),
        );
    });
  }

  /** Fills in a piece that is in memory, or announces what it needs from the disk. */
  #plan(piece: Piece, output: Buffer, runs: RawRuns<PclusterPiece>): void | Promise<void> {
    if (isPclusterPiece(piece)) {
      const cached = typeof piece.extent.coding === 'string' ? undefined : this.#cached(piece.extent);
      if (cached !== undefined) return copyWhenThere(cached, piece.skip, piece, output);
      const { source, position, size } = this.#rangeOf(piece);
      runs.want(source, position, size, piece);
      return;
    }
    const { extent, skip, length, at } = piece;
    if (extent.kind !== 'fragment') output.fill(0, at, at + length);
    else return copyWhenThere(this.#readFragment(extent.offset + skip, length), 0, piece, output);
  }

  /** Fills in what was wanted of a run. */
  #finish(run: RawRun<PclusterPiece>, raw: Buffer, output: Buffer): void | Promise<void> {
    const { purposes, skips } = run;
    return together((pending) => {
      for (let index = 0; index < purposes.length; index++) {
        const piece = purposes[index];
        const start = skips[index];
        if (piece !== undefined && start !== undefined)
          add(pending, this.#fillFrom(raw, start, piece, output));
      }
    });
  }

  /** Fills in a piece whose range begins at byte `start` of what was read. */
  #fillFrom(raw: Buffer, start: number, piece: PclusterPiece, output: Buffer): void | Promise<void> {
    const { extent, at, length } = piece;
    const { coding, size } = extent;
    if (coding === 'shifted') {
      raw.copy(output, at, start, start + length);
      return;
    }
    const pcluster = raw.subarray(start, start + size);
    if (coding === 'interlaced') return copyWhenThere(this.#unrotate(piece, pcluster), 0, piece, output);
    if (wantsAll(piece)) {
      const decoded = this.#decode(extent, coding, pcluster, output.subarray(at, at + length));
      return decoded instanceof Promise ? decoded.then(() => undefined) : undefined;
    }
    // Another piece of the read, or another reader, may have decoded it meanwhile.
    const decoded = this.#cached(extent) ?? this.#keep(extent, this.#decode(extent, coding, pcluster));
    return copyWhenThere(decoded, piece.skip, piece, output);
  }

  #cached(extent: PclusterExtent): Buffer | Promise<Buffer> | undefined {
    return this.image.compression.decoded.get(this.#homeOf(extent), extent);
  }

  #keep(extent: PclusterExtent, decoded: Buffer | Promise<Buffer>): Buffer | Promise<Buffer> {
    return this.image.compression.decoded.add(this.#homeOf(extent), extent, decoded);
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
    if (raw[0] !== 0) return raw;
    const { blockSize } = this.image.superblock;
    const limit = Math.min(raw.length, blockSize - (extent.position % blockSize));
    let start = 0;
    while (start < limit && raw[start] === 0) start++;
    if (start === limit) throw new ErofsCorruptError(site, 'nothing but zeros where a stream should begin');
    return raw.subarray(start);
  }

  /** What must be read for a piece: all of a pcluster, but of one that is stored as it is no more than wanted. */
  #rangeOf({ extent, skip, length }: PclusterPiece): RawRange {
    const shifted = extent.coding === 'shifted';
    const position = extent.position + (shifted ? skip : 0);
    const size = shifted ? length : extent.size;
    if (extent.inline) return { source: this.image.home(this.inode.nid), position, size };
    const { devices, data, superblock } = this.image;
    if (devices.slots.length === 0) return { source: data, position, size };
    const inBlock = position % superblock.blockSize;
    const place = devices.locate(0, Math.floor(position / superblock.blockSize), this.inode.nid);
    return { source: place.source ?? data, position: place.position + inBlock, size };
  }

  /** What is lent by a source is given back: a view would keep much more than itself. */
  #copyOf(raw: Buffer): Buffer {
    const copy = this.allocate(raw.length);
    raw.copy(copy);
    return copy;
  }

  /** Bytes keep their place in the block: what starts the extent stands at the end of the pcluster. */
  #unrotate({ extent, skip, length }: PclusterPiece, raw: Buffer): Buffer {
    const { blockSize } = this.image.superblock;
    const right = Math.min(blockSize - (extent.start % blockSize), raw.length);
    const turned = Buffer.concat([raw.subarray(raw.length - right), raw.subarray(0, raw.length - right)]);
    return turned.subarray(skip, skip + length);
  }

  async #readFragment(offset: number, length: number): Promise<Buffer> {
    const packed = await this.image.packed(this.inode.nid);
    return readRange(packed, offset, length, this.inode.nid, 'map header.fragmentOffset');
  }

  #useRaw<Result>(
    { source, position, size }: RawRange,
    use: (raw: Buffer) => Result | Promise<Result>,
  ): Result | Promise<Result> {
    return useRange(source, position, size, this.inode.nid, 'pcluster', use);
  }

  #homeOf({ inline }: PclusterExtent): PclusterHome {
    if (!inline) return 'image';
    return isMetaboxNid(this.inode.nid) ? 'metabox' : 'inline';
  }

  #siteOf({ start }: PclusterExtent): ErofsErrorSite {
    return { image: this.image.label, nid: this.inode.nid, offset: start, inData: true, field: 'pcluster' };
  }
}

function isPclusterPiece(piece: Piece): piece is PclusterPiece {
  return piece.extent.kind === 'pcluster';
}

/**
 * Whether a read wants all of an extent: it is decoded straight into the result then, and no copy is kept. Who wants a
 * part may come back for another.
 */
function wantsAll({ extent, length }: Piece): boolean {
  return length === extent.length;
}

/** Calls `use` with a value, at once where it is there. */
function whenThere<Value, Result>(
  value: Value | Promise<Value>,
  use: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> {
  return value instanceof Promise ? value.then(use) : use(value);
}

/** Copies what a piece wants from byte `from` of its bytes. */
function copyWhenThere(
  bytes: Buffer | Promise<Buffer>,
  from: number,
  { at, length }: Piece,
  output: Buffer,
): void | Promise<void> {
  if (bytes instanceof Promise)
    return bytes.then((there) => void there.copy(output, at, from, from + length));
  bytes.copy(output, at, from, from + length);
}

/**
 * Does work of which parts may go on in the background. It has ended, also in failure, only when they all have: they use
 * memory that is lent for as long.
 */
function together(work: (pending: Promise<void>[]) => void): void | Promise<void> {
  const pending: Promise<void>[] = [];
  try {
    work(pending);
  } catch (error) {
    if (pending.length === 0) throw error;
    pending.push(Promise.reject(error instanceof Error ? error : new Error(String(error))));
  }
  if (pending.length > 0) return allOf(pending);
}

async function allOf(parts: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(parts);
  await Promise.all(parts);
}

function add(pending: Promise<void>[], done: void | Promise<void>): void {
  if (done instanceof Promise) pending.push(done);
}
