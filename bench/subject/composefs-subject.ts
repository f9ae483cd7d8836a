import { mkdir } from 'node:fs/promises';
import { runCommand } from '../../scripts/process/command';
import type { BenchImage } from '../images/bench-image';
import { kernelMounts } from './kernel-mounts';
import { mountPoint, type MountedImages, type MountSubject, type SubjectPlace } from './mount-subject';

/** Metadata in an EROFS image, files in a store by digest, overlayfs above both. */
export class ComposefsSubject implements MountSubject {
  readonly name = 'composefs';

  constructor(private readonly place: SubjectPlace) {}

  unavailable(): Promise<string | undefined> {
    return Promise.resolve(
      this.#maker === undefined ? 'mkcomposefs was not fetched (scripts/install-bench-tools.sh)' : undefined,
    );
  }

  get #maker() {
    return this.place.tools.find('composefs', 'mkcomposefs');
  }

  async versions(): Promise<Readonly<Record<string, string>>> {
    return { composefs: await this.place.tools.version('composefs', 'composefs') };
  }

  async prepare(images: readonly BenchImage[]): Promise<void> {
    for (const image of images) await this.#image(image);
  }

  #image(image: BenchImage) {
    const maker = this.#maker;
    if (maker === undefined) throw new Error('mkcomposefs was not fetched');
    return this.place.store.composefs(image, maker);
  }

  mount(images: readonly BenchImage[], directory: string): Promise<MountedImages> {
    const mounter = this.place.tools.find('composefs', 'mount.composefs');
    if (mounter === undefined) throw new Error('mount.composefs was not fetched');
    return kernelMounts(async (mounts) => {
      for (const [index, image] of images.entries()) {
        const target = mountPoint(directory, index);
        await mkdir(target);
        const { image: file, objects } = await this.#image(image);
        const options = ['-o', `basedir=${objects},ro`];
        await runCommand(mounter.program, [...mounter.words, ...options, file, target], {
          timeLimit: 30_000,
        });
        mounts.addRoot(target);
      }
    });
  }
}
