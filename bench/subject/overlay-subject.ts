import { mkdir } from 'node:fs/promises';
import { mountOverlay } from '../images/merged-tree';
import type { BenchImage } from '../images/bench-image';
import { kernelMounts } from './kernel-mounts';
import { mountPoint, type MountedImages, type MountSubject } from './mount-subject';

/**
 * overlayfs on directories, as containerd's own snapshotter unpacks layers. `sharedBase` lays every image on the first
 * one's base layer: what those reach who rebuild on one base. The files are not quite the same then.
 */
export class OverlaySubject implements MountSubject {
  readonly name: string;

  constructor(private readonly sharedBase: boolean) {
    this.name = sharedBase ? 'overlayfs, one base' : 'overlayfs';
  }

  unavailable(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  versions(): Promise<Readonly<Record<string, string>>> {
    return Promise.resolve({});
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  mount(images: readonly BenchImage[], directory: string): Promise<MountedImages> {
    const base = images[0]?.layers[0];
    return kernelMounts(async (mounts) => {
      for (const [index, { layers }] of images.entries()) {
        const target = mountPoint(directory, index);
        await mkdir(target);
        const stack =
          this.sharedBase && base !== undefined && layers.length > 1 ? [base, ...layers.slice(1)] : layers;
        await mountOverlay(stack, target, directory);
        mounts.addRoot(target);
      }
    });
  }
}
