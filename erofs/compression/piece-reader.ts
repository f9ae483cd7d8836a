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
const UNCACHED_READ = 128 * 1024;

/** Gives the bytes of pieces of one inode, for one read. */
export class PieceReader {
  constructor(
    private readonly image: ImageSources,
    private readonly inode: Inode,
    /** Bytes that the read wants in all. */
    private readonly wanted: number,
  ) {}

  /** The bytes of one piece; maybe a view of the cache. */
  async read(piece: Piece): Promise<Buffer> {
    const { extent, skip, length } = piece;
    if (extent.kind === 'hole') return Buffer.alloc(length);
    if (extent.kind === 'fragment') return await this.#readFragment(extent.offset + skip, length);
    const coding = extent.coding;
    if (typeof coding === 'string') {
      const raw = await this.#readRaw(this.#rangeOf(piece, extent));
      return coding === 'shifted' ? raw : this.#unrotate(piece, extent, raw);
    }
    const decoded = this.#cached(extent, coding) ?? this.#decodeAndKeep(extent, coding);
    return (await decoded).subarray(skip, skip + length);
  }

  /** Fills `output` with pieces that follow one another. Pclusters that are neighbours on disk are read together. */
  async fill(pieces: readonly Piece[], output: Buffer): Promise<void> {
    const runs = new RawRuns();
    let at = 0;
    const tasks = pieces.map((piece) => {
      const target = output.subarray(at, at + piece.length);
      at += piece.length;
      return this.#plan(piece, target, runs);
    });
    const reads = runs.read((range) => this.#readRaw(range));
    await Promise.all(tasks.map((task) => task(reads)));
  }

  /** Announces what a piece needs from the disk, and gives what is to be done once that is known. */
  #plan(piece: Piece, target: Buffer, runs: RawRuns): (reads: RawReads) => Promise<void> {
    const { extent } = piece;
    const copy = async (bytes: Buffer | Promise<Buffer>): Promise<void> => {
      (await bytes).copy(target);
    };
    if (extent.kind !== 'pcluster') return () => copy(this.read(piece));
    const { coding } = extent;
    if (typeof coding !== 'string') {
      const { skip, length } = piece;
      const cached = this.#cached(extent, coding);
      if (cached !== undefined) {
        return async () => copy((await cached).subarray(skip, skip + length));
      }
      const ticket = runs.want(this.#rangeOf(piece, extent));
      if (this.wanted >= UNCACHED_READ && length === extent.length) {
        return async (reads) => {
          await this.#decode(extent, coding, await reads(ticket), target);
        };
      }
      return async (reads) => {
        const decoded = this.#cached(extent, coding) ?? this.#decodeAndKeep(extent, coding, reads(ticket));
        await copy((await decoded).subarray(skip, skip + length));
      };
    }
    const ticket = runs.want(this.#rangeOf(piece, extent));
    return async (reads) => {
      const raw = await reads(ticket);
      await copy(coding === 'shifted' ? raw : this.#unrotate(piece, extent, raw));
    };
  }

  #cached(extent: PclusterExtent, coding: Algorithm): Buffer | Promise<Buffer> | undefined {
    return this.image.compression.decoded.get(this.#keyOf(extent, coding), extent.length);
  }

  #decodeAndKeep(extent: PclusterExtent, coding: Algorithm, raw?: Promise<Buffer>): Promise<Buffer> {
    const { decoded } = this.image.compression;
    const all: Piece = { extent, skip: 0, length: extent.length };
    const decode = async (): Promise<Buffer> =>
      this.#decode(extent, coding, await (raw ?? this.#readRaw(this.#rangeOf(all, extent))));
    return decoded.add(this.#keyOf(extent, coding), extent.length, decode());
  }

  async #decode(extent: PclusterExtent, coding: Algorithm, raw: Buffer, into?: Buffer): Promise<Buffer> {
    const { configuration, decoder } = this.image.compression;
    const site = this.#siteOf(extent);
    const { zeroPadding } = configuration;
    const input = zeroPadding ? this.#withoutPadding(extent, raw, site) : raw;
    // Zeros may follow the stream where they do not come before it.
    const partial = extent.partial || !zeroPadding;
    return await decoder.decode(coding, input, extent.length, { partial, configuration, site, into });
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

  async #readRaw({ source, position, size }: RawRange): Promise<Buffer> {
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

type RawReads = (ticket: number) => Promise<Buffer>;
