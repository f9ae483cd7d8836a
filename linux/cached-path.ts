import { Descriptor } from './descriptor';
import { errno, SystemCallError } from './errno';
import { cstring, lastErrno, native } from './libc';

/** asm-generic/unistd.h: the same number on every architecture (Linux 5.6). */
const SYS_OPENAT2 = 437;

/** fcntl.h on every architecture that Node runs on. */
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
/** Linux 5.12 (include/uapi/linux/openat2.h). */
const RESOLVE_CACHED = 0x20n;

/** struct open_how. */
const OPEN_HOW = { flags: 0, mode: 8, resolve: 16, size: 24 } as const;

const HOW = Buffer.alloc(OPEN_HOW.size);
HOW.writeBigUInt64LE(BigInt(O_PATH | O_CLOEXEC), OPEN_HOW.flags);
HOW.writeBigUInt64LE(RESOLVE_CACHED, OPEN_HOW.resolve);

/**
 * An O_PATH descriptor of a file, where the kernel has all of its path in the cache of names and need not ask any file system; else
 * undefined, and always before Linux 5.12. It never waits, so that a thread may open files that it serves itself.
 *
 * @param directory descriptor of a directory, which stays the caller's.
 * @param path relative to the directory.
 */
export function openCachedPath(directory: number, path: string): Descriptor | undefined {
  const number = native.openat2(SYS_OPENAT2, directory, cstring(path), HOW, OPEN_HOW.size);
  if (number >= 0) return new Descriptor(number, path);
  const error = lastErrno();
  if (error === errno.EAGAIN || error === errno.ENOSYS || error === errno.EINVAL) return undefined;
  throw new SystemCallError('openat2', error, path);
}
