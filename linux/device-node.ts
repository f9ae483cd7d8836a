import { check, cstring, native } from './libc';

/** dev_t of user space from major and minor (glibc's gnu_dev_makedev; 12-bit major, 20-bit minor fit here). */
export function makeDevice(major: number, minor: number): number {
  return (((major & 0xfff) << 8) | (minor & 0xff) | ((minor & 0xfff00) << 12)) >>> 0;
}

/** mknod(2): a device, fifo or socket node. `mode` carries type and permission bits; the umask applies. */
export function makeNode(path: string | Buffer, mode: number, device = 0): void {
  check(native.mknod(cstring(path), mode, device), 'mknod', path);
}
