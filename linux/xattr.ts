import { errno } from './errno';
import { check, cstring, lastErrno, native } from './libc';

/** Linux bounds names at 255 bytes, values and name lists at 64 KiB (include/uapi/linux/limits.h). */
const XATTR_SIZE_MAX = 65536;

/** Names of the extended attributes of a file, links not followed. None where the file system has none. */
export function listXattrs(path: string | Buffer): Buffer[] {
  const list = Buffer.allocUnsafe(XATTR_SIZE_MAX);
  const length = native.llistxattr(cstring(path), list, list.length);
  if (length < 0 && lastErrno() === errno.EOPNOTSUPP) return [];
  check(length, 'llistxattr', path);
  const names: Buffer[] = [];
  for (let start = 0; start < length;) {
    const end = list.indexOf(0, start);
    names.push(Buffer.from(list.subarray(start, end)));
    start = end + 1;
  }
  return names;
}

/** Value of one extended attribute, or undefined where the file has none by that name. Links are not followed. */
export function getXattr(path: string | Buffer, name: string | Buffer): Buffer | undefined {
  const value = Buffer.allocUnsafe(XATTR_SIZE_MAX);
  const length = native.lgetxattr(cstring(path), cstring(name), value, value.length);
  if (length < 0 && (lastErrno() === errno.ENODATA || lastErrno() === errno.EOPNOTSUPP)) return undefined;
  return Buffer.from(value.subarray(0, check(length, 'lgetxattr', path)));
}

/** Sets one extended attribute, links not followed. */
export function setXattr(path: string | Buffer, name: string | Buffer, value: Buffer): void {
  check(native.lsetxattr(cstring(path), cstring(name), value, value.length, 0), 'lsetxattr', path);
}
