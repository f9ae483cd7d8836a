import { check, cstring, native } from './libc';
import { Descriptor } from './descriptor';

/** Flags of mount(2); include/uapi/linux/mount.h. */
export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  REMOUNT: 32,
  BIND: 4096,
  REC: 16384,
} as const;

/** Flags of umount2(2). */
export const UMOUNT = { FORCE: 1, DETACH: 2, NOFOLLOW: 8 } as const;

/** Attributes of a mount made by fsmount(2). */
export const MOUNT_ATTR = { RDONLY: 1, NOSUID: 2, NODEV: 4, NOEXEC: 8 } as const;

/** System call numbers of the new mount API: the same on every architecture (asm-generic/unistd.h). */
const SYS = { fsopen: 430, fsconfig: 431, fsmount: 432 } as const;
const FSCONFIG = { SET_FLAG: 0, SET_STRING: 1, CMD_CREATE: 6 } as const;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;

/** mount(2). Synchronous: never call it on a thread that must answer for the file system being mounted. */
export function mount(
  source: string,
  target: string,
  type: string | null,
  flags: number,
  options: string,
): void {
  check(
    native.mount(
      cstring(source),
      cstring(target),
      type === null ? null : cstring(type),
      flags,
      cstring(options),
    ),
    `mount -t ${type ?? 'none'} ${source}`,
    target,
  );
}

/** umount2(2). */
export function unmount(target: string, flags = 0): void {
  check(native.umount2(cstring(target), flags), 'umount', target);
}

export interface DetachedMountOptions {
  /** File system type, `fuse` or `erofs`. */
  readonly type: string;
  /** Options with a value; `fd` of a FUSE mount must be given so too, Linux 6.18 refuses FSCONFIG_SET_FD. */
  readonly strings: Readonly<Record<string, string>>;
  /** Options without one, such as `ro` and `allow_other`. */
  readonly flags: readonly string[];
  /** MOUNT_ATTR bits. */
  readonly attributes: number;
}

/**
 * Makes a mount that is attached nowhere: it shows in no mount table, and its files are reached through
 * `/proc/self/fd/N/...` or openat(2). Closing the descriptor ends the mount (Linux 5.2, fsopen(2) and fsmount(2)).
 */
export function mountDetached(options: DetachedMountOptions): Descriptor {
  using context = new Descriptor(
    check(native.fsopen(SYS.fsopen, cstring(options.type), FSOPEN_CLOEXEC), 'fsopen', options.type),
    `fsopen ${options.type}`,
  );
  for (const [key, value] of Object.entries(options.strings)) {
    check(
      native.fsconfig(SYS.fsconfig, context.number, FSCONFIG.SET_STRING, cstring(key), cstring(value), 0),
      'fsconfig',
      `${key}=${value}`,
    );
  }
  for (const key of options.flags) {
    check(
      native.fsconfig(SYS.fsconfig, context.number, FSCONFIG.SET_FLAG, cstring(key), null, 0),
      'fsconfig',
      key,
    );
  }
  check(
    native.fsconfig(SYS.fsconfig, context.number, FSCONFIG.CMD_CREATE, null, null, 0),
    'fsconfig',
    'create',
  );
  return new Descriptor(
    check(
      native.fsmount(SYS.fsmount, context.number, FSMOUNT_CLOEXEC, options.attributes),
      'fsmount',
      options.type,
    ),
    `detached ${options.type} mount`,
  );
}
