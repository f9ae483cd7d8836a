import { ErofsCorruptError } from '../errors';
import { DATA_LAYOUT } from '../format/inode';
import { inodeEnd, type Inode } from '../inode';
import type { ImageSources } from '../image-sources';
import { readRange } from '../read-range';
import type { BlockUse, DataLayoutReader } from './data-layout';

/**
 * Flat plain: all bytes in consecutive blocks. Flat inline: the last 1 to `blockSize` bytes follow the inode and its
 * xattrs instead, within one block. A start block of all ones makes the blocks a hole (Linux 6.15).
 */
export const flatLayout: DataLayoutReader = {
  read(image, inode, offset, length, use) {
    const inBlocks = bytesInBlocks(image, inode);
    if (offset + length <= inBlocks) return readBlocks(image, inode, offset, length, use);
    if (offset >= inBlocks) return readTail(image, inode, offset - inBlocks, length, inBlocks);
    const head = readBlocks(image, inode, offset, inBlocks - offset, use);
    const tail = readTail(image, inode, 0, offset + length - inBlocks, inBlocks);
    return Promise.all([head, tail]).then((parts) => Buffer.concat(parts, length));
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

function readBlocks(
  image: ImageSources,
  inode: Inode,
  offset: number,
  length: number,
  use: BlockUse,
): Buffer | Promise<Buffer> {
  if (inode.startBlock === undefined) return Buffer.alloc(length);
  const position = inode.startBlock * image.superblock.blockSize + offset;
  return readRange(image[use], position, length, inode.nid, 'inode.startBlock');
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
