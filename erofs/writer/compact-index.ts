import {
  ADVISE,
  CBLKCNT,
  COMPACT_LOW_BITS_MIN,
  COMPACT_TYPE_BITS,
  LCLUSTER_TYPE,
  MAP_HEADER_ALIGNMENT,
  PACK_OF_16,
  PACK_OF_2,
  mapHeaderRecord,
  packBaseRecord,
  type Algorithm,
  type LclusterType,
  type PackShape,
} from '../format/compression';
import type { EncodedExtent } from './encode-piece';
import { BLOCK_SIZE } from './geometry';

/** A compressed file, as far as its index goes. */
export interface CompressedFile {
  /** In order, together the file. Their blocks follow one another from `startBlock` on. */
  readonly extents: Iterable<EncodedExtent>;
  /** Bytes of the file, those of all extents. */
  readonly size: number;
  readonly startBlock: number;
  readonly algorithm: Algorithm;
  /** Pclusters of more than one block may occur. */
  readonly bigPclusters: boolean;
  /** Bytes of the last pcluster where it stands behind the index, else 0. */
  readonly inlineBytes: number;
}

/** One lcluster: `low` as it stands in its entry, unless it is the last of its pack. */
interface Lcluster {
  readonly type: LclusterType;
  readonly low: number;
  /** Lclusters on to the next head: what the last entry of a pack says of one that is no head. */
  readonly distanceOn: number;
  /** Heads: where the pcluster is. */
  readonly block: number;
}

/**
 * Map header and compact index of a compressed file (Linux 5.3; packs of sixteen: z_erofs_load_compact_lcluster() in
 * fs/erofs/zmap.c is the judge). A pack names one block only, so the pclusters of a file must follow one another.
 *
 * @param position where the header stands, a multiple of MAP_HEADER_ALIGNMENT; only the rest modulo 32 matters.
 */
export function encodeCompactIndex(file: CompressedFile, position: number): Buffer {
  if (position % MAP_HEADER_ALIGNMENT !== 0) throw new RangeError(`a map header at ${position}`);
  const lclusters = lclustersOf(file);
  const packs = packsFor(Math.ceil(file.size / BLOCK_SIZE), position + mapHeaderRecord.size);
  const indexSize = packs.reduce((total, { size }) => total + size, 0);
  const bytes = Buffer.alloc(mapHeaderRecord.size + indexSize);
  let advise = 0;
  if (packs.includes(PACK_OF_16)) advise |= ADVISE.COMPACTED_2B;
  if (file.bigPclusters) advise |= ADVISE.BIG_PCLUSTER_1 | ADVISE.BIG_PCLUSTER_2;
  if (file.inlineBytes > 0) advise |= ADVISE.INLINE_PCLUSTER;
  mapHeaderRecord.write(bytes, 0, {
    inlineSize: file.inlineBytes,
    advise,
    algorithms: file.algorithm,
    clusterBits: 0,
  });
  let at = mapHeaderRecord.size;
  for (const shape of packs) {
    writePack(bytes.subarray(at, at + shape.size), shape, nextOf(lclusters, shape.entries), file);
    at += shape.size;
  }
  if (lclusters.next().done !== true) throw new RangeError(`extents of more than ${file.size} bytes`);
  return bytes;
}

/** Up to `count` of what comes next. */
function nextOf<T>(values: Iterator<T, void>, count: number): T[] {
  const taken: T[] = [];
  while (taken.length < count) {
    const next = values.next();
    if (next.done === true) break;
    taken.push(next.value);
  }
  return taken;
}

/** One after the other: a large file has more of them than memory should hold. */
function* lclustersOf(file: CompressedFile): Generator<Lcluster, void> {
  let block = file.startBlock;
  let start = 0;
  let count = 0;
  for (const extent of file.extents) {
    if (Math.floor(start / BLOCK_SIZE) !== count) {
      throw new RangeError(`two extents of a file begin in the block at ${start}`);
    }
    for (const lcluster of lclustersOfExtent(extent, start, block, file.bigPclusters)) {
      count++;
      yield lcluster;
    }
    block += extent.blocks;
    start += extent.length;
  }
  if (start !== file.size) throw new RangeError(`extents of ${start} bytes, the file has ${file.size}`);
  if (count < Math.ceil(start / BLOCK_SIZE)) {
    // Says where the last extent ends, as mkfs.erofs does: else readers had to take it from the file's size.
    yield { type: LCLUSTER_TYPE.PLAIN, low: start % BLOCK_SIZE, distanceOn: 0, block };
  }
}

/** The lclusters from the one where an extent begins up to the one before that where it ends. */
function* lclustersOfExtent(
  { length, blocks, plain }: EncodedExtent,
  start: number,
  block: number,
  bigPclusters: boolean,
): Generator<Lcluster, void> {
  const head = Math.floor(start / BLOCK_SIZE);
  const next = Math.max(head + 1, Math.floor((start + length) / BLOCK_SIZE));
  const type = plain ? LCLUSTER_TYPE.PLAIN : LCLUSTER_TYPE.HEAD1;
  yield { type, low: start % BLOCK_SIZE, distanceOn: 0, block };
  for (let number = head + 1; number < next; number++) {
    const back = number - head;
    // One that has no blocks of its own counts as one.
    const low = bigPclusters && back === 1 ? CBLKCNT | Math.max(1, blocks) : Math.min(back, CBLKCNT - 1);
    const distanceOn = Math.min(next - number, CBLKCNT - 1);
    yield { type: LCLUSTER_TYPE.NONHEAD, low, distanceOn, block };
  }
}

/** The packs of an index of `count` lclusters that starts at `start`: see PACK_OF_2 and PACK_OF_16. */
function packsFor(count: number, start: number): PackShape[] {
  const perLcluster = PACK_OF_2.size / PACK_OF_2.entries;
  const leading = ((PACK_OF_16.size - (start % PACK_OF_16.size)) % PACK_OF_16.size) / perLcluster;
  const dense = leading < count ? Math.floor((count - leading) / PACK_OF_16.entries) : 0;
  const before = dense > 0 ? leading : 0;
  const after = count - before - dense * PACK_OF_16.entries;
  return [
    ...new Array<PackShape>(before / PACK_OF_2.entries).fill(PACK_OF_2),
    ...new Array<PackShape>(dense).fill(PACK_OF_16),
    ...new Array<PackShape>(Math.ceil(after / PACK_OF_2.entries)).fill(PACK_OF_2),
  ];
}

function writePack(
  into: Buffer,
  shape: PackShape,
  lclusters: readonly Lcluster[],
  file: CompressedFile,
): void {
  const width = (8 * (shape.size - packBaseRecord.size)) / shape.entries;
  lclusters.forEach((lcluster, slot) => {
    const { type, low, distanceOn } = lcluster;
    const isCount = (low & CBLKCNT) !== 0;
    const last = slot === shape.entries - 1;
    const value = type === LCLUSTER_TYPE.NONHEAD && last && !isCount ? distanceOn : low;
    writeBits(into, slot * width, value | (type << COMPACT_LOW_BITS_MIN));
  });
  const head = lclusters.findIndex(({ type }) => type !== LCLUSTER_TYPE.NONHEAD);
  const block = lclusters[head]?.block;
  // Without a head, nobody asks for a block.
  if (block === undefined) return;
  const base = block - blocksBefore(lclusters.slice(0, head), file.bigPclusters);
  // The first block of an image is no file's, so this is never negative.
  packBaseRecord.write(into, shape.size - packBaseRecord.size, { block: base });
}

/** What readers add to the base of a pack for its first head: the blocks that they count in the entries before it. */
function blocksBefore(entries: readonly Lcluster[], bigPclusters: boolean): number {
  if (!bigPclusters) return 1;
  return entries.reduce((total, { low }) => ((low & CBLKCNT) === 0 ? total : total + (low & ~CBLKCNT)), 0);
}

/** An entry: COMPACT_LOW_BITS_MIN + COMPACT_TYPE_BITS bits from bit `at` on, into zeros. */
function writeBits(into: Buffer, at: number, value: number): void {
  const byte = at >> 3;
  const bytes = Math.ceil(((at & 7) + COMPACT_LOW_BITS_MIN + COMPACT_TYPE_BITS) / 8);
  into.writeUIntLE(into.readUIntLE(byte, bytes) | (value << (at & 7)), byte, bytes);
}
