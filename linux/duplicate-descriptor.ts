import koffi from 'koffi';
import { check } from './libc';

/** fcntl(2); asm-generic/fcntl.h. */
const F_DUPFD_CLOEXEC = 1030;

const fcntl = koffi.load('libc.so.6').func('int fcntl(int fd, int command, int argument)') as unknown as (
  fd: number,
  command: number,
  argument: number,
) => number;

/** Another descriptor for the same open file, with the same position; the caller closes it. */
export function duplicateDescriptor(fd: number): number {
  return check(fcntl(fd, F_DUPFD_CLOEXEC, 0), 'fcntl', `descriptor ${fd}`);
}
