import { openSync } from 'node:fs';
import { Descriptor } from './descriptor';
import { errno, SystemCallError } from './errno';
import { lastErrno, native } from './libc';

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Takes the exclusive lock of a file (flock(2)), creating it where it is missing. Returns undefined when another
 * process holds it. The lock lasts until the descriptor is disposed of or the process ends, however it ends.
 */
export function tryLockFile(path: string): Descriptor | undefined {
  const descriptor = new Descriptor(openSync(path, 'a', 0o600), `lock ${path}`);
  const result = native.flock(descriptor.number, LOCK_EX | LOCK_NB);
  if (result === 0) return descriptor;
  const error = lastErrno();
  descriptor[Symbol.dispose]();
  if (error === errno.EWOULDBLOCK) return undefined;
  throw new SystemCallError('flock', error, path);
}
