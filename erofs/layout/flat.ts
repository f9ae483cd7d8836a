import { ErofsCorruptError } from '../errors';
import { DATA_LAYOUT } from '../format/inode';
import { inodeEnd, type Inode } from '../inode';
import type { ImageSources } from '../image-sources';
import { readRange, useRange } from '../read-range';
import { settle, waitFor, type Steps } from '../steps';
import { freshMemory, type Allocate, type BlockUse, type DataLayoutReader } from './data-layout';

/**
 * Flat plain: all bytes in consecutive blocks. Flat inline: the last 1 to `blockSize` bytes follow the inode and its
 * xattrs instead, within one block. A start block of all ones makes the blocks a hole (Linux 6.15).
 */
export const flatLayout: DataLayoutReader = {
  read(image, inode, offset, length, use, allocate) {
    const inBlocks = bytesInBlocks(image, inode);
    if (offset + length <= inBlocks) return readBlocks(image, inode, offset, length, use, allocate);
    if (offset >= inBlocks) return readTail(image, inode, offset - inBlocks, length, inBlocks);
    return settle(readBoth(image, inode, offset, length, use, inBlocks, allocate));
  },

  async *extents(image, inode) {
    await Promise.resolve();
    const length = Math.max(0, bytesInBlocks(image, inode));
    if (length > 0 && inode.startBlock === undefined) yield { kind: 'hole', start: 0, length };
    if (length > 0 && inode.startBlock !== undefined) {
      const position = inode.startBlock * image.superblock.blockSize;
      yield { kind: 'stored', start: 0, length, inline: false, device: 0, position };
    }
    if (inode.size === length) return;
    const tail = { start: length, length: inode.size - length, position: inodeEnd(inode) };
    yield { kind: 'stored', inline: true, device: 0, ...tail };
  },
};

function bytesInBlocks(image: ImageSources, inode: Inode): number {
  if (inode.layout !== DATA_LAYOUT.FLAT_INLINE) return inode.size;
  const { blockSize } = image.superblock;
  return (Math.ceil(inode.size / blockSize) - 1) * blockSize;
}

/** The end of the blocks, and the beginning of the tail. */
function* readBoth(
  image: ImageSources,
  inode: Inode,
  offset: number,
  length: number,
  use: BlockUse,
  inBlocks: number,
  allocate: Allocate = freshMemory,
): Steps<Buffer> {
  const both = allocate(length);
  const headLength = inBlocks - offset;
  const room: Allocate = (bytes) => both.subarray(0, bytes);
  const head = yield* waitFor(readBlocks(image, inode, offset, headLength, use, room));
  // It may lie elsewhere: memory is offered, not prescribed.
  head.copy(both);
  const tail = yield* waitFor(readTail(image, inode, 0, length - headLength, inBlocks));
  tail.copy(both, headLength);
  return both;
}

function readBlocks(
  image: ImageSources,
  inode: Inode,
  offset: number,
  length: number,
  use: BlockUse,
  allocate?: Allocate,
): Buffer | Promise<Buffer> {
  if (inode.startBlock === undefined) {
    return allocate === undefined ? Buffer.alloc(length) : allocate(length).fill(0);
  }
  const position = inode.startBlock * image.superblock.blockSize + offset;
  const source = image[use];
  // A long read has memory of its own already; others would keep a view of what is read ahead.
  if (allocate === undefined || length > (source.grain ?? 0)) {
    return readRange(source, position, length, inode.nid, 'inode.startBlock');
  }
  return useRange(source, position, length, inode.nid, 'inode.startBlock', (bytes) => {
    const copy = allocate(length);
    bytes.copy(copy);
    return copy;
  });
}

function readTail(
  image: ImageSources,
  inode: Inode,
  offset: number,
  length: number,
  inBlocks: number,
): Buffer | Promise<Buffer> {
  const { blockSize } = image.superblock;
  const start = inodeEnd(inode);
  if ((start % blockSize) + inode.size - inBlocks > blockSize) {
    throw new ErofsCorruptError(
      { image: image.label, nid: inode.nid, offset: start, field: 'inode.size' },
      `an inline tail of ${inode.size - inBlocks} bytes crosses a block`,
    );
  }
  return readRange(image.home(inode.nid), start + offset, length, inode.nid, 'inline tail');
}
