/** log2 of BLOCK_SIZE. */
export const BLOCK_BITS = 12;

/** Bytes of a file system block in every image that is written here: all kernels with EROFS mount it. */
export const BLOCK_SIZE = 2 ** BLOCK_BITS;

/** The next multiple of `alignment` at or after `value`. */
export function roundUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/**
 * Longest end of a regular file that stands behind its inode (bytes), plain or compressed; a longer one gets a block of
 * its own. More makes the image smaller and pushes the inodes apart, which everybody who walks the tree reads.
 */
export const INLINE_TAIL_MAX = 3072;
