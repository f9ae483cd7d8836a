import { mkdir, readFile } from 'node:fs/promises';
import { MS, mount } from '../../linux/mount';
import { runCommand } from '../../scripts/process/command';
import type { BenchImage } from '../images/bench-image';
import type { Encoding } from '../images/image-store';
import { kernelMounts } from './kernel-mounts';
import { mountPoint, type MountedImages, type MountSubject, type SubjectPlace } from './mount-subject';

/** The kernel's EROFS, on a loop device or on the file itself (Linux 6.12). */
export class KernelErofsSubject implements MountSubject {
  readonly name: string;

  constructor(
    private readonly place: SubjectPlace,
    private readonly by: 'loop' | 'file',
    private readonly encoding: Encoding = 'plain',
  ) {
    this.name = `kernel EROFS, ${by}${encoding === 'plain' ? '' : `, ${encoding}`}`;
  }

  async unavailable(): Promise<string | undefined> {
    await runCommand('modprobe', ['erofs']).catch(() => undefined);
    const known = /^\s*\terofs$|\terofs$/m.test(await readFile('/proc/filesystems', 'utf8'));
    return known ? undefined : 'this kernel has no EROFS';
  }

  versions(): Promise<Readonly<Record<string, string>>> {
    return Promise.resolve({});
  }

  async prepare(images: readonly BenchImage[]): Promise<void> {
    for (const image of images) await this.place.store.erofs(image, this.encoding);
  }

  mount(images: readonly BenchImage[], directory: string): Promise<MountedImages> {
    return kernelMounts(async (mounts) => {
      for (const [index, image] of images.entries()) {
        const target = mountPoint(directory, index);
        await mkdir(target);
        const file = await this.place.store.erofs(image, this.encoding);
        if (this.by === 'file') mount(file, target, 'erofs', MS.RDONLY, '');
        else await runCommand('mount', ['-t', 'erofs', '-o', 'loop,ro', file, target], { timeLimit: 30_000 });
        mounts.addRoot(target);
      }
    });
  }
}
