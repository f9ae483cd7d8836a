import koffi from 'koffi';

const mallopt = koffi.load('libc.so.6').func('int mallopt(int param, int value)') as (
  param: number,
  value: number,
) => number;

/** malloc.h of glibc. */
const M_MMAP_THRESHOLD = -3;

/** Smaller ones come and go too often for their pages to be made new each time (bytes). */
const LARGE = 1024 * 1024;

/**
 * From now on, blocks of 1 MiB and more go back to the kernel when they are freed, in the whole process. Else the C library
 * takes the first of a size that is freed for a sign that such blocks come and go, and keeps all of up to 32 MiB from then on
 * (mallopt(3)); zeroed ones it fills by hand then, so that all of their pages take memory.
 */
export function returnLargeBlocks(): void {
  mallopt(M_MMAP_THRESHOLD, LARGE);
}
