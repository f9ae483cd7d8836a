import { setImmediate } from 'node:timers/promises';
import { extentEnd, type Extent } from '../compression/extent';
import { PieceReader, type Piece } from '../compression/piece-reader';
import type { ImageSources } from '../image-sources';
import type { Inode } from '../inode';
import { settle, waitFor, type Steps } from '../steps';
import type { DataLayoutReader } from './data-layout';

/** Pieces and bytes of pclusters that are handled at a time: what a large read holds in memory besides its result. */
const BATCH_PIECES = 256;
const BATCH_BYTES = 1024 * 1024;

/** Compressed with full indexes, encoded extents or compact indexes: pclusters that are decoded as a whole. */
export const compressedLayout: DataLayoutReader = {
  read(image, inode, offset, length) {
    return settle(steps(image, inode, offset, length));
  },

  async *extents(image, inode) {
    if (inode.size === 0) return;
    const map = await image.compression.mapOf(image, inode);
    for (let at = 0; at < inode.size;) {
      const extent = await map.find(at);
      const end = extentEnd(extent);
      // Long holes are found in pieces, each from their first byte on.
      yield extent.kind === 'hole' ? { ...extent, start: at, length: end - at } : extent;
      at = end;
    }
  },

  async checkIndex(image, inode) {
    if (inode.size === 0) return;
    const map = await image.compression.mapOf(image, inode);
    await map.check();
  },
};

function* steps(image: ImageSources, inode: Inode, offset: number, length: number): Steps<Buffer> {
  const map = yield* waitFor(image.compression.mapOf(image, inode));
  const reader = new PieceReader(image, inode, length);
  const first = yield* waitFor(map.find(offset));
  const end = offset + length;
  if (end <= extentEnd(first)) return yield* waitFor(reader.read(pieceOf(first, offset, end)));
  const output = Buffer.allocUnsafeSlow(length);
  let extent = first;
  for (let at = offset; at < end;) {
    const batch: Piece[] = [];
    let bytes = 0;
    const start = at;
    while (at < end && batch.length < BATCH_PIECES && bytes < BATCH_BYTES) {
      if (at >= extentEnd(extent)) extent = yield* waitFor(map.find(at));
      const piece = pieceOf(extent, at, end);
      batch.push(piece);
      bytes += extent.kind === 'pcluster' ? extent.size : 0;
      at += piece.length;
    }
    yield* waitFor(reader.fill(batch, output.subarray(start - offset, at - offset)));
    // Many small pieces may all have been in memory, so that nobody else had a turn.
    if (batch.length === BATCH_PIECES) yield setImmediate();
  }
  return output;
}

/** What of an extent lies in the range from `start` to `end`; `start` lies in it. */
function pieceOf(extent: Extent, start: number, end: number): Piece {
  return { extent, skip: start - extent.start, length: Math.min(end, extentEnd(extent)) - start };
}
