import { chmodSync, lchownSync } from 'node:fs';
import { errorCode } from '../../linux/errno';
import { setFileTimes } from '../../linux/file-times';
import { setXattr } from '../../linux/xattr';
import type { Inode, Xattr } from '../image';
import { isSymlink } from '../inode';

/** What takes rights, or a file system, that are not there. */
export type Omission = 'owner' | 'xattr' | 'device';

const PERMISSIONS = 0o7777;
const S_ISUID = 0o4000;
const S_ISGID = 0o2000;

/**
 * Gives an extracted file what its inode says, in the order that Linux asks for: a new owner takes set-id bits and
 * capabilities away, so it comes first; the mode comes last, since it may forbid the rest. Links are not followed.
 */
export function applyAttributes(
  path: Buffer,
  inode: Inode,
  xattrs: readonly Xattr[],
  setsOwners: boolean,
  onOmission: (omission: Omission) => void,
): void {
  if (setsOwners) lchownSync(path, inode.uid, inode.gid);
  else if (inode.uid !== process.geteuid?.() || inode.gid !== process.getegid?.()) onOmission('owner');
  for (const { name, value } of xattrs) {
    try {
      setXattr(path, name, value);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      onOmission('xattr');
    }
  }
  setFileTimes(path, inode.mtime, inode.mtime);
  if (!isSymlink(inode)) chmodSync(path, permissionsOf(inode, setsOwners));
}

/** Set-id bits would hand the rights of whoever extracts to others, where the owner cannot be set. */
function permissionsOf({ mode }: Inode, setsOwners: boolean): number {
  return mode & PERMISSIONS & (setsOwners ? PERMISSIONS : ~(S_ISUID | S_ISGID));
}

/** No right to set this attribute, or a file system that has none of its kind. */
function isRefusal(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'EPERM' || code === 'EACCES' || code === 'EOPNOTSUPP';
}
