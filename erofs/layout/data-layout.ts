import type { ImageSources } from '../image-sources';
import type { Inode } from '../inode';

/** How the blocks of an inode are read: content once, directories and symlinks through the cache. */
export type BlockUse = 'data' | 'metadata';

/** How one kind of inode keeps its bytes. */
export interface DataLayoutReader {
  /**
   * `length` bytes from `offset`; the caller has made sure that this is not empty and lies within the inode's size.
   * Gives the bytes at once where they are in memory. Throws or rejects with ErofsCorruptError and
   * ErofsUnsupportedError.
   */
  read(
    image: ImageSources,
    inode: Inode,
    offset: number,
    length: number,
    use: BlockUse,
  ): Buffer | Promise<Buffer>;
}
