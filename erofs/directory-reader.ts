import type { Nid } from './brands';
import { DirectoryBlock } from './directory-block';
import { ErofsUsageError } from './errors';
import { FILE_TYPE, direntRecord } from './format/dirent';
import { isDirectory, type Inode } from './inode';
import type { ImageSources } from './image-sources';
import { dataLayouts } from './layout/select';
import { settle, waitFor, type Steps } from './steps';

/** What a lookup gives. */
export interface FoundEntry {
  readonly nid: Nid;
  /** FILE_TYPE, as the entry claims it; the inode's mode is what counts. */
  readonly fileType: number;
}

export interface DirectoryEntry extends FoundEntry {
  /** A view of cached memory: copy it to keep it. */
  readonly name: Buffer;
  /** Reading goes on behind this entry from here. */
  readonly nextCookie: number;
}

const DOT = Buffer.from('.');

/**
 * Directories of one image. Entries are sorted over the whole directory, so that a name is found by two binary
 * searches: for the block by first names, then in the block.
 *
 * Cookie 0 is the start, 1 stands after a "." that the image leaves out, and `2 + position` after the entry at a
 * position, where each block counts for as many positions as it could hold entries.
 */
export class DirectoryReader {
  readonly #blockSize: number;
  readonly #positionsPerBlock: number;

  constructor(private readonly image: ImageSources) {
    this.#blockSize = image.superblock.blockSize;
    this.#positionsPerBlock = Math.ceil(this.#blockSize / direntRecord.size);
  }

  async lookup(directory: Inode, name: Buffer): Promise<FoundEntry | undefined> {
    this.#requireDirectory(directory);
    if (directory.dotOmitted && name.equals(DOT))
      return { nid: directory.nid, fileType: FILE_TYPE.DIRECTORY };
    let low = 0;
    let high = Math.ceil(directory.size / this.#blockSize) - 1;
    let candidate: DirectoryBlock | undefined;
    while (low <= high) {
      const middle = Math.floor((low + high) / 2);
      const read = this.#block(directory, middle);
      const block = read instanceof DirectoryBlock ? read : await read;
      const order = block.compare(name, 0);
      if (order === 0) return foundIn(block, 0);
      if (order < 0) {
        high = middle - 1;
      } else {
        candidate = block;
        low = middle + 1;
      }
    }
    const index = candidate?.find(name);
    return candidate === undefined || index === undefined ? undefined : foundIn(candidate, index);
  }

  /** At once where the directory is in memory. */
  entriesFrom(directory: Inode, cookie: number, limit: number): DirectoryEntry[] | Promise<DirectoryEntry[]> {
    return settle(this.#entriesFrom(directory, cookie, limit));
  }

  *#entriesFrom(directory: Inode, cookie: number, limit: number): Steps<DirectoryEntry[]> {
    this.#requireDirectory(directory);
    if (!Number.isSafeInteger(cookie) || cookie < 0) {
      throw new ErofsUsageError(
        { image: this.image.label, nid: directory.nid, field: 'cookie' },
        'EINVAL',
        `${cookie} was never given out`,
      );
    }
    const entries: DirectoryEntry[] = [];
    if (directory.dotOmitted && cookie === 0 && limit > 0) {
      entries.push({ name: DOT, nid: directory.nid, fileType: FILE_TYPE.DIRECTORY, nextCookie: 1 });
    }
    const start = Math.max(0, cookie - 1);
    const blocks = Math.ceil(directory.size / this.#blockSize);
    let index = start % this.#positionsPerBlock;
    for (let number = Math.floor(start / this.#positionsPerBlock); number < blocks; number++, index = 0) {
      if (entries.length >= limit) break;
      const block = yield* waitFor(this.#block(directory, number));
      for (; index < block.count && entries.length < limit; index++) {
        entries.push({
          name: block.name(index),
          nid: block.nid(index),
          fileType: block.fileType(index),
          nextCookie: number * this.#positionsPerBlock + index + 2,
        });
      }
    }
    return entries;
  }

  #block(directory: Inode, number: number): DirectoryBlock | Promise<DirectoryBlock> {
    const offset = number * this.#blockSize;
    const length = Math.min(this.#blockSize, directory.size - offset);
    const bytes = dataLayouts[directory.layout].read(this.image, directory, offset, length, 'metadata');
    const site = { image: this.image.label, nid: directory.nid, origin: offset, inData: true };
    if (Buffer.isBuffer(bytes)) return new DirectoryBlock(bytes, site);
    return bytes.then((read) => new DirectoryBlock(read, site));
  }

  #requireDirectory(inode: Inode): void {
    if (isDirectory(inode)) return;
    throw new ErofsUsageError(
      { image: this.image.label, nid: inode.nid, field: 'inode.mode' },
      'ENOTDIR',
      'is no directory',
    );
  }
}

function foundIn(block: DirectoryBlock, index: number): FoundEntry {
  return { nid: block.nid(index), fileType: block.fileType(index) };
}
