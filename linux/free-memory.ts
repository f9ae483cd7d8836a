import koffi from 'koffi';

const mallocTrim = koffi.load('libc.so.6').func('int malloc_trim(size_t pad)') as (pad: number) => number;

/**
 * Gives memory that was freed back to the kernel (malloc_trim(3)): after work with very many small buffers, the C library
 * keeps most of it. True where there was some. All threads that allocate wait meanwhile, some milliseconds.
 */
export function returnFreeMemory(): boolean {
  return mallocTrim(0) === 1;
}
