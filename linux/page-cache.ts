import { check, native } from './libc';
import { SystemCallError } from './errno';

/** Linux 6.5; asm-generic/unistd.h. */
const SYS_CACHESTAT = 451;
const FADV_DONTNEED = 4;

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
