import { Descriptor } from './descriptor';
import { check, native } from './libc';

/** asm-generic/fcntl.h. */
const O_CLOEXEC = 0o2000000;
/** Bytes of a C int. */
const INT = 4;

/** The two ends of a pipe, both close-on-exec. */
export interface Pipe {
  readonly reader: Descriptor;
  readonly writer: Descriptor;
}

/** pipe(2). */
export function makePipe(label: string): Pipe {
  const ends = Buffer.alloc(2 * INT);
  check(native.pipe2(ends, O_CLOEXEC), 'pipe2', label);
  return {
    reader: new Descriptor(ends.readInt32LE(0), `${label}, reading end`),
    writer: new Descriptor(ends.readInt32LE(INT), `${label}, writing end`),
  };
}
