import koffi from 'koffi';
import { check, cstring } from './libc';

/** A point in time since 1970; the seconds may be negative, the nanoseconds may not. */
export interface FileTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
/** struct timespec of 64-bit Linux: two signed words. */
const TIMESPEC_BYTES = 16;

const utimensat = koffi
  .load('libc.so.6')
  .func('int utimensat(int dirfd, const void *path, const void *times, int flags)') as (
  directory: number,
  path: Buffer,
  times: Buffer,
  flags: number,
) => number;

/**
 * Sets both times of a file to the nanosecond, which Node's own calls cannot: their times are floating-point seconds.
 * Links are not followed.
 */
export function setFileTimes(path: string | Buffer, accessed: FileTime, modified: FileTime): void {
  const times = Buffer.alloc(2 * TIMESPEC_BYTES);
  [accessed, modified].forEach(({ seconds, nanoseconds }, index) => {
    times.writeBigInt64LE(BigInt(seconds), index * TIMESPEC_BYTES);
    times.writeBigInt64LE(BigInt(nanoseconds), index * TIMESPEC_BYTES + 8);
  });
  check(utimensat(AT_FDCWD, cstring(path), times, AT_SYMLINK_NOFOLLOW), 'utimensat', path);
}
