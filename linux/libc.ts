import koffi from 'koffi';
import { SystemCallError } from './errno';

/**
 * The C library, declared once. Every function here returns what the C function returns; the wrappers beside
 * this file turn -1 into a SystemCallError. Paths travel as NUL-terminated bytes (`cstring`), never as
 * JavaScript strings, because names on Linux need not be UTF-8.
 */
const libc = koffi.load('libc.so.6');

type NativeFunction<Arguments extends unknown[], Result> = ((...args: Arguments) => Result) & {
  async: (...args: [...Arguments, (error: unknown, result: Result) => void]) => void;
};

function declare<Arguments extends unknown[], Result>(prototype: string): NativeFunction<Arguments, Result> {
  return libc.func(prototype);
}

/** NUL-terminated path or name. */
export type CString = Buffer;
type Pointer = Buffer | bigint | null;

export const native = {
  read: declare<[number, Buffer, number], number>('intptr_t read(int fd, _Out_ void *buf, size_t count)'),
  ioctl: declare<[number, number, Pointer], number>(
    'int ioctl(int fd, unsigned long request, _Inout_ void *arg)',
  ),
  pipe2: declare<[Buffer, number], number>('int pipe2(_Out_ void *ends, int flags)'),
  flock: declare<[number, number], number>('int flock(int fd, int operation)'),
  mount: declare<[CString, CString, CString | null, number, CString | null], number>(
    'int mount(const void *source, const void *target, const void *type, unsigned long flags, const void *data)',
  ),
  umount2: declare<[CString, number], number>('int umount2(const void *target, int flags)'),
  mknod: declare<[CString, number, number], number>(
    'int mknod(const void *path, unsigned int mode, unsigned long dev)',
  ),
  lgetxattr: declare<[CString, CString, Buffer, number], number>(
    'intptr_t lgetxattr(const void *path, const void *name, _Out_ void *value, size_t size)',
  ),
  llistxattr: declare<[CString, Buffer, number], number>(
    'intptr_t llistxattr(const void *path, _Out_ void *list, size_t size)',
  ),
  lsetxattr: declare<[CString, CString, Buffer, number, number], number>(
    'int lsetxattr(const void *path, const void *name, const void *value, size_t size, int flags)',
  ),
  posixFadvise: declare<[number, number, number, number], number>(
    'int posix_fadvise(int fd, int64_t offset, int64_t len, int advice)',
  ),
  fallocate: declare<[number, number, number, number], number>(
    'int fallocate(int fd, int mode, int64_t offset, int64_t len)',
  ),
  /** koffi gives an address as a number where it fits in 53 bits, else as a bigint. */
  mmap: declare<[number, number, number, number, number, number], number | bigint>(
    'uintptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int fd, int64_t offset)',
  ),
  /** struct sched_param is one int. */
  schedSetscheduler: declare<[number, number, Buffer], number>(
    'int sched_setscheduler(int pid, int policy, const void *param)',
  ),
  munmap: declare<[number | bigint, number], number>('int munmap(uintptr_t address, size_t length)'),
  mincore: declare<[number | bigint, number, Buffer], number>(
    'int mincore(uintptr_t address, size_t length, _Out_ void *vector)',
  ),
  /** The system calls below have no wrapper in the glibc of Debian 12; all arguments are passed as words. */
  fsopen: declare<[number, CString, number], number>(
    'long syscall(long number, const void *type, unsigned int flags)',
  ),
  fsconfig: declare<[number, number, number, CString | null, CString | null, number], number>(
    'long syscall(long number, int fd, unsigned int cmd, const void *key, const void *value, int aux)',
  ),
  fsmount: declare<[number, number, number, number], number>(
    'long syscall(long number, int fd, unsigned int flags, unsigned int attributes)',
  ),
  pidfdOpen: declare<[number, number, number], number>(
    'long syscall(long number, int pid, unsigned int flags)',
  ),
  pidfdGetfd: declare<[number, number, number, number], number>(
    'long syscall(long number, int pidfd, int target, unsigned int flags)',
  ),
  socket: declare<[number, number, number], number>('int socket(int domain, int type, int protocol)'),
  connect: declare<[number, Buffer, number], number>(
    'int connect(int socket, const void *address, unsigned int length)',
  ),
  getsockopt: declare<[number, number, number, Buffer, Buffer], number>(
    'int getsockopt(int socket, int level, int option, _Out_ void *value, _Inout_ void *length)',
  ),
  openat2: declare<[number, number, CString, Buffer, number], number>(
    'long syscall(long number, int directory, const void *path, const void *how, size_t size)',
  ),
  cachestat: declare<[number, number, Buffer, Buffer, number], number>(
    'long syscall(long number, unsigned int fd, const void *range, _Out_ void *stat, unsigned int flags)',
  ),
};

/** The bytes of `text` with the NUL that C expects. A NUL inside is refused, since C would cut the name there. */
export function cstring(text: string | Buffer): CString {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
  if (bytes.includes(0)) throw new SystemCallError('cstring', 22, JSON.stringify(bytes.toString('latin1')));
  return Buffer.concat([bytes, Buffer.of(0)]);
}

/** `result` unless it is negative; then a SystemCallError with the errno that the call left behind. */
export function check(result: number, syscall: string, subject: string | Buffer): number {
  if (result >= 0) return result;
  throw new SystemCallError(syscall, koffi.errno(), subject.toString());
}

/** The errno of the last call made on this thread. */
export function lastErrno(): number {
  return koffi.errno();
}

/** The address of a buffer's first byte. */
export function addressOf(buffer: Buffer): bigint {
  return koffi.address(buffer);
}
