import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MS, mount, unmount } from '../../linux/mount';
import { TemporaryDirectory } from '../../scripts/process/temporary-directory';
import type { BenchImage } from './bench-image';

/** The layers of an image as one directory, as long as it is not disposed of. */
export class MergedTree implements AsyncDisposable {
  private constructor(
    private readonly directory: TemporaryDirectory,
    readonly path: string,
  ) {}

  static async mount({ layers }: BenchImage): Promise<MergedTree> {
    const directory = await TemporaryDirectory.create('bench-tree');
    const path = join(directory.path, 'merged');
    await mkdir(path);
    await mountOverlay(layers, path, directory.path);
    return new MergedTree(directory, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    unmount(this.path);
    await this.directory[Symbol.asyncDispose]();
  }
}

/** Mounts layers, the lowest first, read-only. An empty directory in `scratch` goes below a layer that is alone. */
export async function mountOverlay(
  layers: readonly string[],
  target: string,
  scratch: string,
): Promise<void> {
  const lower = [...layers].reverse();
  if (lower.length === 1) {
    // Overlayfs wants two lower directories where there is no upper one.
    const empty = join(scratch, 'empty');
    await mkdir(empty, { recursive: true });
    lower.push(empty);
  }
  mount('overlay', target, 'overlay', MS.RDONLY, `lowerdir=${lower.join(':')}`);
}
