import { basename, dirname } from 'node:path';
import type { Mount } from '../proto/snapshots';
import type { Paths } from './paths';
import type { SnapshotId } from './store/snapshot-table';

const UPPER = 'upperdir=';

/** The snapshot whose upper directory is what the mounts write to, by its path alone; undefined: they are none of ours. */
export function snapshotOfMounts(paths: Paths, mounts: readonly Mount[]): SnapshotId | undefined {
  const [mount, ...others] = mounts;
  if (mount === undefined || others.length > 0) return undefined;
  const upper = writtenDirectory(mount);
  if (upper === undefined) return undefined;
  const id = Number(basename(dirname(upper))) as SnapshotId;
  return Number.isSafeInteger(id) && paths.upper(id) === upper ? id : undefined;
}

function writtenDirectory({ type, source, options }: Mount): string | undefined {
  switch (type) {
    case 'bind':
      return options.includes('ro') ? undefined : source;
    case 'overlay':
      return options.find((option) => option.startsWith(UPPER))?.slice(UPPER.length);
    default:
      return undefined;
  }
}
