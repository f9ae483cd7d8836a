import { writeSync } from 'node:fs';
import { check, native } from './libc';
import { errorCode } from './errno';

/** include/uapi/linux/falloc.h */
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;

const zeros = Buffer.alloc(256 * 1024);

/**
 * Makes a stretch inside a file read as zeros and gives its blocks back, or writes zeros where the file system gives
 * none back. Offset and length in bytes.
 */
export function punchHole(fd: number, offset: number, length: number): void {
  try {
    const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    check(native.fallocate(fd, mode, offset, length), 'fallocate', `descriptor ${fd}`);
  } catch (error) {
    if (errorCode(error) !== 'EOPNOTSUPP') throw error;
    for (let done = 0; done < length;)
      done += writeSync(fd, zeros, 0, Math.min(zeros.length, length - done), offset + done);
  }
}
