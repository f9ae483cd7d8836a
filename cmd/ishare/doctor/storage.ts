import { statfs } from 'node:fs/promises';
import type { MountEntry } from '../../../linux/mount-table';
import { fine, type Finding } from './finding';
import { mountOf } from '../../../linux/mount-origin';
import { ifPresent } from './present';

/** The file system that ROOT lies on. */
export interface StorageLook {
  readonly root: string;
  readonly type: string;
  /** Parts of a whole that are free, 0 to 1; undefined where there is no such limit, or asking might hang. */
  readonly freeBytes: number | undefined;
  readonly freeInodes: number | undefined;
}

/** Cannot be an overlay's upper layer, for want of extended attributes, whiteouts or a stable directory order. */
const UNFIT = /^(overlay|fuse\..*|fuse|nfs4?|cifs|smb3|vfat|exfat|9p)$/;
/** Of bytes or inodes; less is worth a word. */
const FREE_ENOUGH = 0.05;

export async function lookAtStorage(root: string, table: readonly MountEntry[]): Promise<StorageLook> {
  const type = mountOf(table, root)?.type ?? '';
  // The server of a network or user-space file system may be dead, and asking it would hang.
  const stats = UNFIT.test(type) ? undefined : await ifPresent(statfs(root));
  return {
    root,
    type,
    freeBytes: stats && share(stats.bavail, stats.blocks),
    freeInodes: stats && share(stats.ffree, stats.files),
  };
}

export function storageFindings({ root, type, freeBytes, freeInodes }: StorageLook): Finding[] {
  const fit: Finding = UNFIT.test(type)
    ? {
        area: 'storage',
        level: 'problem',
        what: `a file system of type ${type}`,
        where: root,
        why: 'it cannot be the upper layer of an overlay, so no container can write',
        remedy: 'put ROOT on ext4, XFS or btrfs',
      }
    : fine('storage', `${type} can hold upper layers`, root);
  const room = [
    [freeBytes, 'bytes'],
    [freeInodes, 'inodes'],
  ] as const;
  return [
    fit,
    ...room
      .filter(([free]) => free !== undefined)
      .map(([free = 1, unit]): Finding =>
        free >= FREE_ENOUGH
          ? fine('storage', `enough free ${unit}`, root)
          : {
              area: 'storage',
              level: 'note',
              what: `few free ${unit}`,
              where: root,
              why: `${Math.floor(free * 100)} % are left: pulls and containers fail when none are`,
              remedy: 'remove images and containers that nobody needs',
            },
      ),
  ];
}

/** File systems without a fixed number of inodes say 0. */
function share(free: number, all: number): number | undefined {
  return all === 0 ? undefined : free / all;
}
