import { errorCode } from '../linux/errno';
import type { Descriptor } from '../linux/descriptor';
import { mount as mountAt, mountDetached as mountNowhere, MOUNT_ATTR, MS } from '../linux/mount';
import type { FuseDevice } from './device';
import { FuseUnavailableError } from './errors';

export interface FuseMountOptions {
  /** `fuse.NAME` is the type in the mount table. */
  readonly name: string;
  /** First column of the mount table; the name where it is left out. */
  readonly source?: string;
  /** False: nobody but root, who mounts it, gets in. */
  readonly allowOther?: boolean;
}

/** `rootmode` needs only the file type until the first GETATTR: a directory. */
const ROOT_MODE = '40000';

function mountOptions(device: FuseDevice): Record<string, string> {
  return { fd: String(device.number), rootmode: ROOT_MODE, user_id: '0', group_id: '0' };
}

function accessOptions({ allowOther = true }: FuseMountOptions): string[] {
  return allowOther ? ['allow_other', 'default_permissions'] : ['default_permissions'];
}

/**
 * Mounts the file system behind `device` at a directory, read-only and with permission checks by the kernel. Read-only
 * is a must with passthrough: the kernel does not look at the access mode of a backing file. Returns at once; what
 * touches the mount waits until the session has answered INIT.
 */
export function mountFuse(device: FuseDevice, target: string, options: FuseMountOptions): void {
  const words = Object.entries(mountOptions(device)).map(([key, value]) => `${key}=${value}`);
  words.push(...accessOptions(options));
  const { name, source = name } = options;
  try {
    mountAt(source, target, `fuse.${name}`, MS.RDONLY | MS.NOSUID | MS.NODEV, words.join(','));
  } catch (error) {
    throw explain(error, target);
  }
}

/** The same, attached to no directory: only the holder of the descriptor reaches it, and closing that unmounts. */
export function mountFuseDetached(device: FuseDevice, options: FuseMountOptions): Descriptor {
  try {
    return mountNowhere({
      type: 'fuse',
      strings: { ...mountOptions(device), source: options.source ?? options.name, subtype: options.name },
      flags: ['ro', ...accessOptions(options)],
      attributes: MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV,
    });
  } catch (error) {
    throw explain(error, 'a detached mount');
  }
}

function explain(error: unknown, target: string): Error {
  switch (errorCode(error)) {
    case 'EPERM':
      return new FuseUnavailableError(`${target}: this process may not mount (CAP_SYS_ADMIN is missing)`, {
        cause: error,
      });
    case 'ENODEV':
      return new FuseUnavailableError(`${target}: the kernel has no FUSE (modprobe fuse)`, { cause: error });
    case 'ENOSYS':
      return new FuseUnavailableError(`${target}: fsopen(2) is missing, Linux 5.2 is needed`, {
        cause: error,
      });
    default:
      return error instanceof Error ? error : new Error(String(error));
  }
}
