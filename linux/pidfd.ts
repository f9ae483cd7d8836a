import { Descriptor } from './descriptor';
import { check, native } from './libc';

/** asm-generic/unistd.h: the same numbers on every architecture (Linux 5.3 and 5.6). */
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;

/**
 * A descriptor that stands for a process, and for no other that gets its number later. ESRCH where there is none.
 * pidfd_open(2).
 */
export function openProcess(pid: number): Descriptor {
  const number = check(native.pidfdOpen(SYS_PIDFD_OPEN, pid, 0), 'pidfd_open', `process ${pid}`);
  return new Descriptor(number, `process ${pid}`);
}

/**
 * A copy of another process's descriptor: both mean the same open file. The copy is close-on-exec. Needs the right to
 * trace that process. EBADF where it has no such descriptor. pidfd_getfd(2).
 */
export function copyDescriptor(processDescriptor: Descriptor, target: number): Descriptor {
  const number = check(
    native.pidfdGetfd(SYS_PIDFD_GETFD, processDescriptor.number, target, 0),
    'pidfd_getfd',
    `descriptor ${target} of ${processDescriptor.label}`,
  );
  return new Descriptor(number, `descriptor ${target} of ${processDescriptor.label}`);
}
