import { ErofsCorruptError, ErofsUnsupportedError } from '../errors';
import {
  CBLKCNT,
  COMPACT_CLUSTER_BITS_MAX,
  COMPACT_LOW_BITS_MIN,
  COMPACT_TYPE_BITS,
  LCLUSTER_TYPE,
  PACK_OF_16,
  PACK_OF_2,
  packBaseRecord,
  type LclusterType,
  type PackShape,
} from '../format/compression';
import { errorSite, type Site } from '../format/record';
import type { ImageSources } from '../image-sources';
import type { Inode } from '../inode';
import { readRange } from '../read-range';
import type { Lcluster, LclusterIndex } from './lcluster';
import type { IndexedHeader } from './map-header';

const FIELD = 'compact index';

/** Where an lcluster's entry is. */
interface Slot {
  readonly shape: PackShape;
  /** First byte of the pack, in the inode's home. */
  readonly pack: number;
  /** Number of the entry in its pack. */
  readonly slot: number;
}

interface Entry {
  readonly type: LclusterType;
  readonly low: number;
}

/**
 * 4 or 2 bytes an lcluster: packs of two at first, up to a multiple of 32 bytes, then packs of sixteen as many as there
 * are, then packs of two again.
 */
export class CompactIndex implements LclusterIndex {
  readonly #start: number;
  /** Lclusters in packs of two before, and in packs of sixteen. */
  readonly #leading: number;
  readonly #dense: number;
  readonly #lowBits: number;
  readonly #big: boolean;

  constructor(
    private readonly image: ImageSources,
    private readonly inode: Inode,
    header: IndexedHeader,
  ) {
    const { clusterBits } = header;
    const site: Site = { image: image.label, nid: inode.nid, origin: header.end };
    if (clusterBits > COMPACT_CLUSTER_BITS_MAX) {
      throw new ErofsUnsupportedError(errorSite(site, 0, FIELD), `lclusters of 2^${clusterBits} bytes`);
    }
    this.#start = header.end;
    this.#leading = ((PACK_OF_16.size - (this.#start % PACK_OF_16.size)) / 4) % 8;
    const total = Math.ceil(inode.size / 2 ** clusterBits);
    const dense = header.packsOf16 && clusterBits <= COMPACT_LOW_BITS_MIN && this.#leading < total;
    const perPack = PACK_OF_16.entries;
    this.#dense = dense ? Math.floor((total - this.#leading) / perPack) * perPack : 0;
    this.#lowBits = Math.max(clusterBits, COMPACT_LOW_BITS_MIN);
    this.#big = header.bigPclusters[0];
  }

  load(number: number): Lcluster | Promise<Lcluster> {
    const place = this.#locate(number);
    const { nid } = this.inode;
    const bytes = readRange(this.image.home(nid), place.pack, place.shape.size, nid, FIELD);
    if (Buffer.isBuffer(bytes)) return this.#decode(bytes, place);
    return bytes.then((read) => this.#decode(read, place));
  }

  loadRun(first: number, count: number): readonly Lcluster[] | Promise<readonly Lcluster[]> {
    const start = this.#locate(first).pack;
    const { nid } = this.inode;
    const length = this.endOf(first + count - 1) - start;
    const bytes = readRange(this.image.home(nid), start, length, nid, FIELD);
    const decode = (read: Buffer): readonly Lcluster[] => this.#decodeRun(read, start, first, count);
    return Buffer.isBuffer(bytes) ? decode(bytes) : bytes.then(decode);
  }

  endOf(number: number): number {
    const { pack, shape } = this.#locate(number);
    return pack + shape.size;
  }

  #locate(number: number): Slot {
    const dense = number - this.#leading;
    if (dense < 0) return slotAt(this.#start + 4 * number, PACK_OF_2);
    const denseStart = this.#start + 4 * this.#leading;
    if (dense < this.#dense) return slotAt(denseStart + 2 * dense, PACK_OF_16);
    return slotAt(denseStart + 2 * this.#dense + 4 * (dense - this.#dense), PACK_OF_2);
  }

  /** `start` is the place of the bytes, whose first pack holds the entry of lcluster `first`. */
  #decodeRun(bytes: Buffer, start: number, first: number, count: number): readonly Lcluster[] {
    const found: Lcluster[] = [];
    let pack = bytes;
    let at = -1;
    for (let number = first; number < first + count; number++) {
      const place = this.#locate(number);
      if (place.pack !== at) {
        at = place.pack;
        pack = bytes.subarray(at - start, at - start + place.shape.size);
      }
      found.push(this.#decode(pack, place));
    }
    return found;
  }

  #decode(pack: Buffer, { shape, slot, pack: origin }: Slot): Lcluster {
    const site: Site = { image: this.image.label, nid: this.inode.nid, origin };
    const { type, low } = this.#entry(pack, shape, slot);
    if (type !== LCLUSTER_TYPE.NONHEAD) {
      const base = packBaseRecord.fields.block.read(pack, shape.size - packBaseRecord.size, site);
      const block =
        base +
        (this.#big ? this.#blocksBefore(pack, shape, slot, site) : this.#headsBefore(pack, shape, slot));
      return {
        type,
        clusterOffset: low,
        block,
        distanceBack: 0,
        distanceOn: 0,
        blocks: undefined,
        partial: false,
        hole: false,
      };
    }
    const counts = (low & CBLKCNT) !== 0;
    return {
      type,
      clusterOffset: 0,
      block: 0,
      distanceBack: counts ? 1 : this.#distanceBack(pack, shape, slot, low),
      distanceOn: this.#distanceOn(pack, shape, slot),
      blocks: counts ? low & (CBLKCNT - 1) : undefined,
      partial: false,
      hole: false,
    };
  }

  #entry(pack: Buffer, shape: PackShape, slot: number): Entry {
    const width = ((shape.size - packBaseRecord.size) * 8) / shape.entries;
    const bit = slot * width;
    // At most 16 bits from somewhere in a byte: three bytes hold them, and the base follows the last entry.
    const value = pack.readUIntLE(bit >>> 3, 3) >>> (bit & 7);
    return {
      low: value & ((1 << this.#lowBits) - 1),
      type: ((value >>> this.#lowBits) & ((1 << COMPACT_TYPE_BITS) - 1)) as LclusterType,
    };
  }

  /** The last entry of a pack gives the distance on instead: its own follows from the entry before. */
  #distanceBack(pack: Buffer, shape: PackShape, slot: number, low: number): number {
    if (slot + 1 < shape.entries) return low;
    const before = this.#entry(pack, shape, slot - 1);
    if (before.type !== LCLUSTER_TYPE.NONHEAD) return 1;
    return (before.low & CBLKCNT) !== 0 ? 2 : before.low + 1;
  }

  #distanceOn(pack: Buffer, shape: PackShape, slot: number): number {
    let last = 0;
    for (let at = slot; at < shape.entries; at++) {
      const { type, low } = this.#entry(pack, shape, at);
      if (type !== LCLUSTER_TYPE.NONHEAD) return at - slot;
      last = low;
    }
    const within = shape.entries - slot;
    return (last & CBLKCNT) !== 0 ? within : within - 1 + last;
  }

  /** Blocks from the pack's base to that of a head, where every pcluster has one. */
  #headsBefore(pack: Buffer, shape: PackShape, slot: number): number {
    let blocks = 1;
    for (let at = slot - 1; at >= 0; at--) {
      const { type, low } = this.#entry(pack, shape, at);
      if (type === LCLUSTER_TYPE.NONHEAD) at -= low;
      if (at >= 0) blocks++;
    }
    return blocks;
  }

  /** The same where pclusters have several. */
  #blocksBefore(pack: Buffer, shape: PackShape, slot: number, site: Site): number {
    let blocks = 0;
    for (let at = slot - 1; at >= 0; at--) {
      const { type, low } = this.#entry(pack, shape, at);
      if (type !== LCLUSTER_TYPE.NONHEAD) {
        blocks++;
      } else if ((low & CBLKCNT) !== 0) {
        blocks += low & (CBLKCNT - 1);
        at--;
      } else if (low >= 2) {
        at -= low - 2;
      } else {
        throw new ErofsCorruptError(errorSite(site, 0, FIELD), `entry ${at}: a distance back of ${low}`);
      }
    }
    return blocks;
  }
}

function slotAt(position: number, shape: PackShape): Slot {
  const pack = Math.floor(position / shape.size) * shape.size;
  const entryBytes = shape.size / shape.entries;
  return { shape, pack, slot: (position - pack) / entryBytes };
}
