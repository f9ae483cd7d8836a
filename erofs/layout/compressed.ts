import { setImmediate } from 'node:timers/promises';
import { extentEnd, type Extent } from '../compression/extent';
import { PieceReader, type Piece } from '../compression/piece-reader';
import type { ImageSources } from '../image-sources';
import type { Inode } from '../inode';
import { settle, waitFor, type Steps } from '../steps';
import { freshMemory, type Allocate, type DataLayoutReader } from './data-layout';

/** Pieces and bytes of pclusters that are handled at a time: what a large read holds in memory besides its result. */
const BATCH_PIECES = 256;
const BATCH_BYTES = 1024 * 1024;

/** Compressed with full indexes, encoded extents or compact indexes: pclusters that are decoded as a whole. */
export const compressedLayout: DataLayoutReader = {
  read(image, inode, offset, length, _use, allocate = freshMemory) {
    return settle(steps(image, inode, offset, length, allocate));
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

function* steps(
  image: ImageSources,
  inode: Inode,
  offset: number,
  length: number,
  allocate: Allocate,
): Steps<Buffer> {
  const map = yield* waitFor(image.compression.mapOf(image, inode));
  const reader = new PieceReader(image, inode, allocate);
  const first = yield* waitFor(map.find(offset));
  const end = offset + length;
  if (end <= extentEnd(first)) return yield* waitFor(reader.read(pieceOf(first, offset, end, 0)));
  const output = allocate(length);
  let run: readonly Extent[] = [first];
  let next = 0;
  for (let at = offset; at < end;) {
    const batch: Piece[] = [];
    let bytes = 0;
    while (at < end && batch.length < BATCH_PIECES && bytes < BATCH_BYTES) {
      if (next === run.length) {
        run = yield* waitFor(map.findRun(at, end));
        next = 0;
      }
      const extent = run[next] ?? first;
      const piece = pieceOf(extent, at, end, at - offset);
      batch.push(piece);
      bytes += extent.kind === 'pcluster' ? extent.size : 0;
      at += piece.length;
      next++;
    }
    yield* waitFor(reader.fill(batch, output));
    // Many small pieces may all have been in memory, so that nobody else had a turn.
    if (batch.length === BATCH_PIECES) yield setImmediate();
  }
  return output;
}

/** What of an extent lies in the range from `start` to `end`; `start` lies in it, and belongs at `at` of the result. */
function pieceOf(extent: Extent, start: number, end: number, at: number): Piece {
  return { extent, skip: start - extent.start, length: Math.min(end, extentEnd(extent)) - start, at };
}
