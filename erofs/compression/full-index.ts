import {
  CBLKCNT,
  FULL_INDEX_ADVISE,
  FULL_INDEX_GAP,
  LCLUSTER_TYPE,
  fullIndexRecord,
  type LclusterType,
} from '../format/compression';
import type { Site } from '../format/record';
import type { ImageSources } from '../image-sources';
import type { Inode } from '../inode';
import { readRange } from '../read-range';
import type { Lcluster, LclusterIndex } from './lcluster';
import type { IndexedHeader } from './map-header';

/** 8 bytes an lcluster. */
export class FullIndex implements LclusterIndex {
  readonly #start: number;

  constructor(
    private readonly image: ImageSources,
    private readonly inode: Inode,
    header: IndexedHeader,
  ) {
    this.#start = header.end + FULL_INDEX_GAP;
  }

  load(number: number): Lcluster | Promise<Lcluster> {
    const position = this.#start + number * fullIndexRecord.size;
    const { nid } = this.inode;
    const bytes = readRange(this.image.home(nid), position, fullIndexRecord.size, nid, fullIndexRecord.name);
    if (Buffer.isBuffer(bytes)) return this.#decode(bytes, position);
    return bytes.then((read) => this.#decode(read, position));
  }

  loadRun(first: number, count: number): readonly Lcluster[] | Promise<readonly Lcluster[]> {
    const start = this.#start + first * fullIndexRecord.size;
    const { nid } = this.inode;
    const length = count * fullIndexRecord.size;
    const bytes = readRange(this.image.home(nid), start, length, nid, fullIndexRecord.name);
    const decode = (read: Buffer): readonly Lcluster[] =>
      Array.from({ length: count }, (_, index) => {
        const at = index * fullIndexRecord.size;
        return this.#decode(read.subarray(at, at + fullIndexRecord.size), start + at);
      });
    return Buffer.isBuffer(bytes) ? decode(bytes) : bytes.then(decode);
  }

  endOf(number: number): number {
    return this.#start + (number + 1) * fullIndexRecord.size;
  }

  #decode(bytes: Buffer, position: number): Lcluster {
    const site: Site = { image: this.image.label, nid: this.inode.nid, origin: position };
    const raw = fullIndexRecord.read(bytes, 0, site);
    const { advise } = raw;
    // Two bits, and all four values have a meaning.
    const type = (advise & FULL_INDEX_ADVISE.TYPE_MASK) as LclusterType;
    if (type !== LCLUSTER_TYPE.NONHEAD) {
      return {
        type,
        clusterOffset: raw.clusterOffset,
        block: raw.block,
        distanceBack: 0,
        distanceOn: 0,
        blocks: undefined,
        partial: (advise & FULL_INDEX_ADVISE.PARTIAL_REF) !== 0,
        hole: (advise & FULL_INDEX_ADVISE.HOLE) !== 0,
      };
    }
    const back = raw.distanceBack;
    const counts = (back & CBLKCNT) !== 0;
    return {
      type,
      clusterOffset: 0,
      block: 0,
      distanceBack: counts ? 1 : back,
      distanceOn: raw.distanceOn,
      blocks: counts ? back & (CBLKCNT - 1) : undefined,
      partial: false,
      hole: false,
    };
  }
}
