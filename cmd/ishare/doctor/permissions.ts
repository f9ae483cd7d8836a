import { chmod, lstat } from 'node:fs/promises';
import path from 'node:path';
import { journalPath } from '../../../ishare/takeover/takeover-state';
import { LOCK_FILE, PRIVATE_DIRECTORY } from '../../daemon/private-directory';
import { fine, type Finding } from './finding';
import type { Place } from './place';
import { ifPresent } from './present';

const PRIVATE_FILE = 0o600;
const PERMISSIONS = 0o7777;
const OTHERS = 0o077;

/** Something that is for root alone. */
export interface PermissionsLook {
  readonly path: string;
  readonly mode: number;
  readonly wanted: number;
  /** Whether it may be changed: a directory that no daemon has used may be anything, such as `/tmp`. */
  readonly ours: boolean;
}

/** The images mount is not asked: it may be dead. */
export async function lookAtPermissions(place: Place): Promise<PermissionsLook[]> {
  const { paths, state, address, adminAddress } = place;
  const looks: PermissionsLook[] = [];
  const look = async (file: string, wanted: number, ours: boolean): Promise<void> => {
    const stats = await ifPresent(lstat(file));
    if (stats !== undefined) looks.push({ path: file, mode: stats.mode & PERMISSIONS, wanted, ours });
  };
  for (const directory of [paths.root, state]) {
    const used = await ifPresent(lstat(path.join(directory, LOCK_FILE)));
    await look(directory, PRIVATE_DIRECTORY, used !== undefined);
  }
  for (const directory of [paths.snapshots, paths.images, paths.trash])
    await look(directory, PRIVATE_DIRECTORY, true);
  const database = ['', '-wal', '-shm'].map((ending) => `${paths.database}${ending}`);
  for (const file of [...database, journalPath(state), address, adminAddress])
    await look(file, PRIVATE_FILE, true);
  return looks;
}

export function permissionFindings(looks: readonly PermissionsLook[]): Finding[] {
  const open = looks.filter(({ mode }) => (mode & OTHERS) !== 0);
  if (open.length === 0) return [fine('files', 'root alone may enter', looks[0]?.path ?? '')];
  return open.map(({ path: place, mode, wanted, ours }) => {
    const finding: Finding = {
      area: 'files',
      level: 'problem',
      what: 'others than root may enter',
      where: place,
      why: `its mode is 0${mode.toString(8)}; files of all containers lie below`,
      remedy: `chmod 0${wanted.toString(8)}`,
    };
    if (!ours) return { ...finding, level: 'note' };
    return { ...finding, repair: () => chmod(place, wanted) };
  });
}
