import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchImage } from '../images/bench-image';
import type { Encoding } from '../images/image-store';
import { mountPoint, type MountedImages, type MountSubject, type SubjectPlace } from './mount-subject';
import { ServedImages, type Server } from './served-images';

/** erofsfuse, a process for each image. */
export class ErofsfuseSubject implements MountSubject {
  readonly name: string;

  constructor(
    private readonly place: SubjectPlace,
    private readonly encoding: Encoding = 'plain',
  ) {
    this.name = encoding === 'plain' ? 'erofsfuse' : `erofsfuse, ${encoding}`;
  }

  get #tool() {
    return this.place.tools.find('erofsfuse', 'erofsfuse');
  }

  unavailable(): Promise<string | undefined> {
    return Promise.resolve(
      this.#tool === undefined ? 'erofsfuse was not fetched (scripts/install-bench-tools.sh)' : undefined,
    );
  }

  async versions(): Promise<Readonly<Record<string, string>>> {
    return { erofsfuse: await this.place.tools.version('erofsfuse', 'erofsfuse') };
  }

  async prepare(images: readonly BenchImage[]): Promise<void> {
    for (const image of images) await this.place.store.erofs(image, this.encoding);
  }

  async mount(images: readonly BenchImage[], directory: string): Promise<MountedImages> {
    const tool = this.#tool;
    if (tool === undefined) throw new Error('erofsfuse was not fetched');
    const servers: Server[] = [];
    const roots: string[] = [];
    for (const [index, image] of images.entries()) {
      const target = mountPoint(directory, index);
      await mkdir(target);
      const file = await this.place.store.erofs(image, this.encoding);
      servers.push({ ...tool, words: [...tool.words, '-f', file, target], targets: [target] });
      roots.push(target);
    }
    return ServedImages.start(servers, roots, join(directory, 'log'));
  }
}
