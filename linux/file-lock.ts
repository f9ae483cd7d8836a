import { fstatSync, ftruncateSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { Descriptor } from './descriptor';
import { errno, SystemCallError } from './errno';
import { lastErrno, native } from './libc';
import { isDying } from './process-stat';

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Takes the exclusive lock of a file (flock(2)), creating it where it is missing; the number of this process stands in it then.
 * Returns undefined when another process holds it. The lock lasts until the descriptor is disposed of or the process ends,
 * however it ends.
 *
 * A process that was killed ends only when its last thread does. One that waits for the answer to a FUSE request that somebody
 * has read waits on, and whoever was killed with it cannot answer any more: the next one must, and cannot wait for the lock
 * before. So the lock of a process that is nothing but such threads is none: the file is replaced.
 */
export function tryLockFile(file: string): Descriptor | undefined {
  const lock = tryLock(file);
  if (lock !== undefined || !isDying(ownerOf(file))) return lock;
  // One at a time: of two that replace the file, one would have a lock that nobody sees.
  using turn = new Descriptor(openSync(path.dirname(file), 'r'), `turn for ${file}`);
  if (!flock(turn, path.dirname(file))) return undefined;
  if (!isDying(ownerOf(file))) return tryLock(file);
  const fresh = `${file}.new`;
  const replacing = tryLock(fresh);
  if (replacing !== undefined) renameSync(fresh, file);
  return replacing;
}

function tryLock(file: string): Descriptor | undefined {
  const descriptor = new Descriptor(openSync(file, 'a', 0o600), `lock ${file}`);
  try {
    // Replaced since it was opened: the lock would be of a file that nobody looks at any more.
    if (flock(descriptor, file) && fstatSync(descriptor.number).ino === statSync(file).ino) {
      ftruncateSync(descriptor.number);
      writeSync(descriptor.number, `${process.pid}\n`);
      return descriptor;
    }
  } catch (error) {
    descriptor[Symbol.dispose]();
    throw error;
  }
  descriptor[Symbol.dispose]();
  return undefined;
}

/** False when another process holds it. */
function flock(descriptor: Descriptor, name: string): boolean {
  if (native.flock(descriptor.number, LOCK_EX | LOCK_NB) === 0) return true;
  const error = lastErrno();
  if (error === errno.EWOULDBLOCK) return false;
  throw new SystemCallError('flock', error, name);
}

function ownerOf(file: string): number {
  return Number(readFileSync(file, 'utf8'));
}
