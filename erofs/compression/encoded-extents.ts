import { setImmediate } from 'node:timers/promises';
import { ErofsCorruptError } from '../errors';
import {
  EXTENT_PHYSICAL,
  EXTENT_TABLE_START_SIZE,
  extentRecord,
  type Algorithm,
} from '../format/compression';
import type { ImageSources } from '../image-sources';
import type { Inode } from '../inode';
import { readRange } from '../read-range';
import type { CompressionConfiguration } from './configuration';
import { checkPcluster, extentEnd, type Coding, type Extent, type ExtentMap } from './extent';
import type { ExtentsHeader } from './map-header';

const FIELD = extentRecord.name;
const { physicalLength, physicalStartLow, physicalStartHigh, logicalStartLow, logicalStartHigh } =
  extentRecord.fields;

/** Records of 4 bytes between two places whose address is remembered. */
const CHECKPOINT_RECORDS = 4096;

/** One record, with what shorter ones imply filled in. */
interface Encoded {
  /** EXTENT_PHYSICAL. */
  readonly physical: number;
  readonly position: number;
}

/** Extents that a table names one by one (Linux 6.15). */
export class EncodedExtentMap implements ExtentMap {
  readonly #start: number;
  readonly #clusterSize: number;
  #last: Extent | undefined;
  /** Tables of 4-byte records: where the pcluster of each CHECKPOINT_RECORDS-th record starts (bytes). */
  readonly #checkpoints: number[] = [];

  constructor(
    private readonly image: ImageSources,
    private readonly inode: Inode,
    private readonly header: ExtentsHeader,
    private readonly configuration: CompressionConfiguration,
  ) {
    const { end, recordSize } = header;
    this.#start = Math.ceil(end / recordSize) * recordSize;
    this.#clusterSize = 2 ** header.clusterBits;
    // A table that the image cannot hold is refused before anything is looked for in it.
    const extra = recordSize < physicalStartLow.offset + physicalStartLow.width ? EXTENT_TABLE_START_SIZE : 0;
    const source = image.home(inode.nid);
    if (this.#start + extra + this.#count * recordSize > source.size) {
      throw this.#corrupt(0, `a table of ${this.#count} records does not fit in the image`);
    }
  }

  async find(offset: number): Promise<Extent> {
    const last = this.#last;
    if (last !== undefined && offset >= last.start && offset < extentEnd(last)) return last;
    const extent = await (this.#uniform ? this.#findUniform(offset) : this.#search(offset));
    this.#last = extent;
    return extent;
  }

  async findRun(offset: number): Promise<readonly Extent[]> {
    return [await this.find(offset)];
  }

  async check(): Promise<void> {
    if (this.#uniform) return;
    let before = -1;
    for (let number = 0; number < this.#count; number++) {
      if (number % CHECKPOINT_RECORDS === CHECKPOINT_RECORDS - 1) await setImmediate();
      const { logical } = await this.#record(number);
      if (logical <= before)
        throw this.#corrupt(number, `it starts at ${logical}, the one before at ${before}`);
      before = logical;
    }
  }

  /** Records of 4 and 8 bytes name no logical start: their extents are all of one size. */
  get #uniform(): boolean {
    return this.header.recordSize < logicalStartLow.offset + logicalStartLow.width;
  }

  get #count(): number {
    return this.#uniform ? Math.ceil(this.inode.size / this.#clusterSize) : this.header.count;
  }

  async #findUniform(offset: number): Promise<Extent> {
    const number = Math.floor(offset / this.#clusterSize);
    const start = number * this.#clusterSize;
    const length = Math.min(this.#clusterSize, this.inode.size - start);
    const last = number === this.#count - 1;
    return this.#extent(start, length, await this.#uniformRecord(number), last);
  }

  async #uniformRecord(number: number): Promise<Encoded> {
    const { recordSize } = this.header;
    if (recordSize === physicalLength.width) return await this.#accumulated(number);
    const bytes = await this.#read(this.#start + number * recordSize, recordSize);
    const site = this.#site(number);
    return { physical: physicalLength.read(bytes, 0, site), position: physicalStartLow.read(bytes, 0, site) };
  }

  /** Pclusters follow one another: the lengths before say where one is. */
  async #accumulated(number: number): Promise<Encoded> {
    const { recordSize } = this.header;
    const table = this.#start + EXTENT_TABLE_START_SIZE;
    if (this.#checkpoints.length === 0) {
      const first = await this.#read(this.#start, EXTENT_TABLE_START_SIZE);
      const position = first.readBigUInt64LE(0);
      if (position > BigInt(Number.MAX_SAFE_INTEGER))
        throw this.#corrupt(0, `a pcluster at byte ${position}`);
      this.#checkpoints[0] = Number(position);
    }
    const wanted = Math.floor(number / CHECKPOINT_RECORDS);
    let from = Math.min(wanted, this.#checkpoints.length - 1);
    for (;;) {
      const first = from * CHECKPOINT_RECORDS;
      const records = Math.min(CHECKPOINT_RECORDS, number - first + 1);
      const bytes = await this.#read(table + first * recordSize, records * recordSize);
      let position = this.#checkpoints[from] ?? 0;
      const end = from === wanted ? records - 1 : records;
      for (let at = 0; at < end; at++) {
        position += bytes.readUInt32LE(at * recordSize) & EXTENT_PHYSICAL.LENGTH_MASK;
      }
      if (from === wanted) return { physical: bytes.readUInt32LE(end * recordSize), position };
      from++;
      this.#checkpoints[from] = position;
    }
  }

  /** Records of 16 and 32 bytes are sorted by where their extents start. */
  async #search(offset: number): Promise<Extent> {
    const { size } = this.inode;
    let low = 0;
    let high = this.#count;
    let start: number | undefined;
    let end = size;
    let found: Encoded | undefined;
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2);
      const { logical, ...record } = await this.#record(middle);
      if (logical > offset) {
        if (logical > end) throw this.#corrupt(middle, `it starts at ${logical}, behind ${end}`);
        end = logical;
        high = middle;
      } else {
        if (start !== undefined && logical < start) {
          throw this.#corrupt(middle, `it starts at ${logical}, before ${start}`);
        }
        start = logical;
        found = record;
        low = middle + 1;
      }
    }
    if (start === undefined || found === undefined) throw this.#corrupt(0, `no extent holds byte ${offset}`);
    return this.#extent(start, end - start, found, low >= this.#count);
  }

  async #record(number: number): Promise<Encoded & { readonly logical: number }> {
    const { recordSize } = this.header;
    const bytes = await this.#read(this.#start + number * recordSize, recordSize);
    const site = this.#site(number);
    const wide = recordSize >= extentRecord.size;
    return {
      physical: physicalLength.read(bytes, 0, site),
      position: physicalStartLow.read(bytes, 0, site) + physicalStartHigh.read(bytes, 0, site) * 2 ** 32,
      logical:
        logicalStartLow.read(bytes, 0, site) + (wide ? logicalStartHigh.read(bytes, 0, site) * 2 ** 32 : 0),
    };
  }

  #extent(start: number, length: number, { physical, position }: Encoded, last: boolean): Extent {
    const { recordSize, tailFragment } = this.header;
    if (last && tailFragment) {
      const high = recordSize > physicalLength.width ? position * 2 ** 32 : 0;
      return { kind: 'fragment', start, length, offset: physical + high };
    }
    const size = physical & EXTENT_PHYSICAL.LENGTH_MASK;
    if (size === 0) return { kind: 'hole', start, length };
    const partial = (physical & EXTENT_PHYSICAL.PARTIAL) !== 0;
    const coding = this.#codingOf(physical >>> EXTENT_PHYSICAL.FORMAT_SHIFT, position, size);
    const extent: Extent = {
      kind: 'pcluster',
      start,
      length,
      inline: false,
      position,
      size,
      coding,
      partial,
    };
    return checkPcluster(extent, this.image, this.configuration, this.inode);
  }

  #codingOf(format: number, position: number, size: number): Coding {
    // Whether there is an algorithm of this number is checked with the rest of the pcluster.
    if (format !== 0) return (format - 1) as Algorithm;
    const { blockSize } = this.image.superblock;
    const aligned = position % blockSize === 0 && size % blockSize === 0;
    return this.header.interlaced && aligned ? 'interlaced' : 'shifted';
  }

  async #read(position: number, length: number): Promise<Buffer> {
    const { nid } = this.inode;
    return readRange(this.image.home(nid), position, length, nid, FIELD);
  }

  #site(number: number): { image: string; nid: Inode['nid']; origin: number } {
    const origin = this.#start + number * this.header.recordSize;
    return { image: this.image.label, nid: this.inode.nid, origin };
  }

  #corrupt(number: number, problem: string): ErofsCorruptError {
    const { image, nid, origin } = this.#site(number);
    return new ErofsCorruptError(
      { image, nid, offset: origin, field: FIELD },
      `record ${number}: ${problem}`,
    );
  }
}
