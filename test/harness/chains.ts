import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mount } from '../../proto/snapshots';
import type { OpenedSnapshots } from './faulty-snapshots';

/** Commits layers as containerd does, each on the one before: `1`, `2` and so on, after `prefix`. */
export async function commitChain(
  { snapshots, store, paths }: OpenedSnapshots,
  count: number,
  prefix = '',
): Promise<void> {
  for (let layer = 1; layer <= count; layer += 1) {
    const name = `${prefix}${layer}`;
    const key = `default/${layer}/extract-1-x sha256:${name}`;
    await snapshots.prepare({ key, parent: layer === 1 ? '' : `${prefix}${layer - 1}`, labels: {} });
    await writeFile(join(paths.upper(store.snapshots.find(key)!.id), `file ${layer}`), `content ${name}`);
    await snapshots.commit({ key, name, labels: {} });
  }
}

/** The lower directories of a snapshot's mount, topmost first. */
export function lowerOf([mount]: readonly Mount[]): string[] {
  const option = mount!.options.find((each) => each.startsWith('lowerdir='));
  return option === undefined ? [mount!.source] : option.slice('lowerdir='.length).split(':');
}
