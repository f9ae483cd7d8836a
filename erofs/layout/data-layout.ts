import type { FragmentExtent, HoleExtent, PclusterExtent, Span } from '../compression/extent';
import type { ImageSources } from '../image-sources';
import type { Inode } from '../inode';

/** How the blocks of an inode are read: content once, directories and symlinks through the cache. */
export type BlockUse = 'data' | 'metadata';

/** Gives memory for the result of a read, of so many bytes. Nothing may be kept there: it is lent for the result alone. */
export type Allocate = (length: number) => Buffer;

/** Memory that nobody else uses. */
export const freshMemory: Allocate = (length) => Buffer.allocUnsafeSlow(length);

/** A run of bytes that are stored as they are. */
export interface StoredExtent extends Span {
  readonly kind: 'stored';
  /** The bytes lie behind the inode, not among the blocks. */
  readonly inline: boolean;
  /** 0: the image itself, else an extra device, counted from 1. */
  readonly device: number;
  /** Bytes from the start of the device, or of the inode's home if `inline`. */
  readonly position: number;
}

/** A run of an inode's data that is kept in one way. */
export type DataExtent = HoleExtent | FragmentExtent | PclusterExtent | StoredExtent;

/** How one kind of inode keeps its bytes. */
export interface DataLayoutReader {
  /**
   * `length` bytes from `offset`; the caller has made sure that this is not empty and lies within the inode's size.
   * Gives the bytes at once where they are in memory. Throws or rejects with ErofsCorruptError and
   * ErofsUnsupportedError. Results that must be put together are put in memory from `allocate`, where that is given.
   */
  read(
    image: ImageSources,
    inode: Inode,
    offset: number,
    length: number,
    use: BlockUse,
    allocate?: Allocate,
  ): Buffer | Promise<Buffer>;

  /**
   * The extents of an inode, without gaps from byte 0 to its size. Says what the inode claims: whether the image has
   * bytes there shows when they are read. Rejects as `read` does.
   */
  extents(image: ImageSources, inode: Inode): AsyncIterable<DataExtent>;

  /**
   * Checks what extents are found by, where that could contradict itself without `extents` noticing. Rejects as `read`
   * does.
   */
  checkIndex?(image: ImageSources, inode: Inode): Promise<void>;
}
