import koffi from 'koffi';
import { check, native } from '../libc';

const memcpy = koffi
  .load('libc.so.6')
  .func('uintptr_t memcpy(_Out_ void *target, uintptr_t source, size_t length)') as unknown as (
  target: Buffer,
  source: number | bigint,
  length: number,
) => number | bigint;

const PROT_READ = 1;
export const MAP = { SHARED: 1, PRIVATE: 2 } as const;

/** The first `length` bytes of a file as its mapping shows them (mmap(2)): page faults, no read(2). */
export function mappedBytes(fd: number, length: number, flags: number): Buffer {
  const address = native.mmap(0, length, PROT_READ, flags, fd, 0);
  // (void *)-1 is the one address that is no page's.
  if (typeof address === 'bigint' && address === 2n ** 64n - 1n) check(-1, 'mmap', `descriptor ${fd}`);
  try {
    const bytes = Buffer.alloc(length);
    memcpy(bytes, address, length);
    return bytes;
  } finally {
    check(native.munmap(address, length), 'munmap', `descriptor ${fd}`);
  }
}
