import { check, lastErrno, native } from './libc';
import { SystemCallError } from './errno';

/** Linux 6.5; asm-generic/unistd.h. */
const SYS_CACHESTAT = 451;
const FADV_DONTNEED = 4;
const PROT_READ = 1;
const MAP_SHARED = 1;
const MAP_FAILED = 2n ** 64n - 1n;
const PAGE_BYTES = 4096;

/** What the kernel's page cache holds of one file, in pages (struct cachestat, include/uapi/linux/mman.h). */
export interface CacheStat {
  readonly cachedPages: number;
  readonly dirtyPages: number;
  readonly writebackPages: number;
  readonly evictedPages: number;
  readonly recentlyEvictedPages: number;
}

/** cachestat(2) over the whole file. Fails with ENOSYS before Linux 6.5 and with EBADF on O_PATH descriptors. */
export function cacheStat(fd: number): CacheStat {
  const wholeFile = Buffer.alloc(16);
  const stat = Buffer.alloc(40);
  check(native.cachestat(SYS_CACHESTAT, fd, wholeFile, stat, 0), 'cachestat', `descriptor ${fd}`);
  const field = (index: number): number => Number(stat.readBigUInt64LE(index * 8));
  return {
    cachedPages: field(0),
    dirtyPages: field(1),
    writebackPages: field(2),
    evictedPages: field(3),
    recentlyEvictedPages: field(4),
  };
}

/** Drops the clean pages of a whole file from the page cache. Dirty pages stay: fsync first. */
export function dropCachedPages(fd: number): void {
  // posix_fadvise returns the errno instead of setting it.
  const error = native.posixFadvise(fd, 0, 0, FADV_DONTNEED);
  if (error !== 0) throw new SystemCallError('posix_fadvise', error, `descriptor ${fd}`);
}

/**
 * Pages of a file of `size` bytes that are in the page cache: by cachestat(2), or on kernels without it by mapping
 * the file and asking mincore(2), which tells root the truth.
 */
export function cachedPages(fd: number, size: number): number {
  try {
    return cacheStat(fd).cachedPages;
  } catch (error) {
    if (!(error instanceof SystemCallError) || error.code !== 'ENOSYS') throw error;
    return residentPages(fd, size);
  }
}

/** mincore(2) over a whole file of `size` bytes. */
export function residentPages(fd: number, size: number): number {
  // mmap(2) refuses a length of 0.
  if (size === 0) return 0;
  const address = native.mmap(0, size, PROT_READ, MAP_SHARED, fd, 0);
  if (address === MAP_FAILED) throw new SystemCallError('mmap', lastErrno(), `descriptor ${fd}`);
  try {
    const vector = Buffer.alloc(Math.ceil(size / PAGE_BYTES));
    check(native.mincore(address, size, vector), 'mincore', `descriptor ${fd}`);
    return vector.reduce((count, byte) => count + (byte & 1), 0);
  } finally {
    check(native.munmap(address, size), 'munmap', `descriptor ${fd}`);
  }
}
