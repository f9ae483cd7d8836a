import { METABOX_NID, isMetaboxNid, type Nid } from '../brands';
import { CHUNK_FORMAT, chunkBlockRecord, chunkIndexRecord } from '../format/chunk';
import { DATA_LAYOUT, INODE_SLOT } from '../format/inode';
import { SUPERBLOCK_OFFSET } from '../format/superblock';
import type { DataExtent, ErofsImage, Inode } from '../image';
import { inodeEnd } from '../inode';
import { finding, type Finding } from './finding';
import type { KnownInodes } from './known-inodes';

interface Range {
  readonly start: number;
  readonly end: number;
  /** Undefined: the superblock. */
  readonly nid: Nid | undefined;
}

/**
 * Where the structures of an image lie: the superblock, and each inode with its xattrs, its inline tail (flat layouts)
 * and its chunk table. No two of them may share a byte, and no data in blocks may lie on them. Data may lie on other
 * data (dedupe). Indexes of compressed files are not looked at here: they show when the file is decoded.
 */
export class StructureRanges {
  readonly #inImage: Range[] = [];
  readonly #inMetabox: Range[] = [];

  constructor(private readonly image: ErofsImage) {
    const { size } = image.superblock;
    this.#inImage.push({ start: SUPERBLOCK_OFFSET, end: SUPERBLOCK_OFFSET + size, nid: undefined });
  }

  add(inode: Inode): void {
    const { nid } = inode;
    const home = isMetaboxNid(nid) ? this.#inMetabox : this.#inImage;
    home.push({ start: this.#start(inode), end: this.#end(inode), nid });
  }

  /** Structures that share bytes. Before `checkExtent`, and after all inodes have been added. */
  *check(known: KnownInodes): Generator<Finding> {
    for (const ranges of [this.#inImage, this.#inMetabox]) {
      ranges.sort((left, right) => left.start - right.start);
      let widest: Range | undefined;
      for (const range of ranges) {
        if (widest !== undefined && range.start < widest.end) {
          // The superblock begins an image, but an inode may lie before it.
          const { nid } = range.nid === undefined ? widest : range;
          const other = range.nid === undefined ? range : widest;
          yield finding(
            { image: this.image.label, nid, offset: range.start, field: 'inode' },
            `overlaps ${other.nid === undefined ? 'the superblock' : `inode ${other.nid}`}`,
            nid === undefined ? undefined : known.path(nid),
          );
        }
        if (widest === undefined || range.end > widest.end) widest = range;
      }
    }
  }

  /** Whether the blocks of an extent hold a structure too. */
  *checkExtent(inode: Inode, extent: DataExtent, path: Buffer | undefined): Generator<Finding> {
    const place = placeInImage(extent);
    if (place === undefined) return;
    const { start, end } = place;
    const hit = this.#firstEndingAfter(start);
    if (hit === undefined || hit.start >= end) return;
    yield finding(
      { image: this.image.label, nid: inode.nid, offset: extent.start, inData: true, field: 'extent' },
      `its bytes, from byte ${start} of the image, overlap ${hit.nid === undefined ? 'the superblock' : `inode ${hit.nid}`}`,
      path,
    );
  }

  /** By halving: structures are sorted by their ends too, unless they overlap, which has been found by then. */
  #firstEndingAfter(position: number): Range | undefined {
    let low = 0;
    let high = this.#inImage.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#inImage[middle]?.end ?? Infinity) > position) high = middle;
      else low = middle + 1;
    }
    return this.#inImage[low];
  }

  #start({ nid }: Inode): number {
    if (isMetaboxNid(nid)) return (nid - METABOX_NID) * INODE_SLOT;
    return this.image.superblock.metaOffset + nid * INODE_SLOT;
  }

  #end(inode: Inode): number {
    const end = inodeEnd(inode);
    const { blockSize } = this.image.superblock;
    if (inode.layout === DATA_LAYOUT.FLAT_INLINE && inode.size > 0) {
      return end + (((inode.size - 1) % blockSize) + 1);
    }
    if (inode.layout === DATA_LAYOUT.CHUNK_BASED) {
      const indexes = (inode.chunkFormat & CHUNK_FORMAT.INDEXES) !== 0;
      const unit = indexes ? chunkIndexRecord.size : chunkBlockRecord.size;
      const chunkSize = blockSize * 2 ** (inode.chunkFormat & CHUNK_FORMAT.BITS_MASK);
      return Math.ceil(end / unit) * unit + Math.ceil(inode.size / chunkSize) * unit;
    }
    return end;
  }
}

/** Bytes of the image that an extent takes among the blocks. */
function placeInImage(extent: DataExtent): { start: number; end: number } | undefined {
  if (extent.kind === 'stored' && !extent.inline && extent.device === 0) {
    return { start: extent.position, end: extent.position + extent.length };
  }
  if (extent.kind === 'pcluster' && !extent.inline) {
    return { start: extent.position, end: extent.position + extent.size };
  }
  return undefined;
}
