/** log2 of BLOCK_SIZE. */
export const BLOCK_BITS = 12;

/** Bytes of a file system block in every image that is written here: all kernels with EROFS mount it. */
export const BLOCK_SIZE = 2 ** BLOCK_BITS;

/** The next multiple of `alignment` at or after `value`. */
export function roundUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
