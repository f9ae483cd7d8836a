import koffi from 'koffi';
import { check } from '../libc';

const lseek = koffi
  .load('libc.so.6')
  .func('int64_t lseek(int fd, int64_t offset, int whence)') as unknown as (
  fd: number,
  offset: number,
  whence: number,
) => number;

export const SEEK = { SET: 0, CUR: 1, END: 2, DATA: 3, HOLE: 4 } as const;

/** lseek(2), which Node has no call for. Gives the new position in bytes. */
export function seek(fd: number, offset: number, whence: number): number {
  return check(lseek(fd, offset, whence), 'lseek', `descriptor ${fd}`);
}
