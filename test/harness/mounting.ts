import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { unmount } from '../../linux/mount';
import type { Mount } from '../../proto/snapshots';

const run = promisify(execFile);

/** The kernel copies one page of options; containerd keeps 512 bytes off it before it shortens lower directories. */
const PAGE_BYTES = 4096;
const RESERVE_BYTES = 512;
const LOWERDIR = 'lowerdir=';

/** A mounted snapshot. Disposing unmounts it. */
export class Mounted implements Disposable {
  #mounted = true;

  constructor(readonly path: string) {}

  [Symbol.dispose](): void {
    if (this.#mounted) unmount(this.path);
    this.#mounted = false;
  }
}

/** Mounts what a snapshotter answered, the way containerd does (core/mount), at `target`, which is made where missing. */
export async function mountSnapshot(mounts: readonly Mount[], target: string): Promise<Mounted> {
  const [mount] = mounts;
  if (mount === undefined || mounts.length !== 1) throw new Error(`expected one mount, got ${mounts.length}`);
  await mkdir(target, { recursive: true });
  const { directory, options } = shortened(mount.options);
  const type = mount.type === 'bind' ? [] : ['-t', mount.type];
  const text = options.join(',');
  if (text.length > PAGE_BYTES) throw new Error(`${text.length} bytes of mount options do not fit a page`);
  // mount(8) resolves relative lower directories by its working directory, as the kernel does.
  await run('mount', ['-i', '-n', ...type, '-o', text, mount.source, target], { cwd: directory ?? '/' });
  return new Mounted(target);
}

/** containerd's way around the limit: relative lower directories, mounted from their common parent. */
function shortened(options: readonly string[]): { directory?: string; options: readonly string[] } {
  const index = options.findIndex((option) => option.startsWith(LOWERDIR));
  const size = options.reduce((sum, option) => sum + option.length, 0);
  if (index < 0 || size < PAGE_BYTES - RESERVE_BYTES) return { options };
  const lower = options[index]!.slice(LOWERDIR.length).split(':');
  const sorted = [...lower].sort();
  const [first, last] = [sorted[0]!, sorted.at(-1)!];
  let common = 0;
  while (common < first.length && first[common] === last[common]) common += 1;
  const directory = first.slice(0, first.lastIndexOf('/', common - 1) + 1);
  const relative = lower.map((path) => path.slice(directory.length));
  return {
    directory,
    options: [...options.filter((_, at) => at !== index), `${LOWERDIR}${relative.join(':')}`],
  };
}
