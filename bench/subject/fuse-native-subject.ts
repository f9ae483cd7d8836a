import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { BenchImage } from '../images/bench-image';
import { mountPoint, type MountedImages, type MountSubject, type SubjectPlace } from './mount-subject';
import { ServedImages, type Server } from './served-images';

const packageSchema = z.object({ version: z.string() });

/** Our EROFS reader behind fuse-native, a process for each image. */
export class FuseNativeSubject implements MountSubject {
  readonly name = 'fuse-native';

  constructor(private readonly place: SubjectPlace) {}

  unavailable(): Promise<string | undefined> {
    return Promise.resolve(
      this.place.tools.fuseNative === undefined
        ? 'the npm package fuse-native was not fetched (scripts/install-bench-tools.sh)'
        : undefined,
    );
  }

  async versions(): Promise<Readonly<Record<string, string>>> {
    const text = await readFile(join(this.#package, 'package.json'), 'utf8');
    return { 'fuse-native': packageSchema.parse(JSON.parse(text)).version };
  }

  get #package(): string {
    const directory = this.place.tools.fuseNative;
    if (directory === undefined) throw new Error('fuse-native was not fetched');
    return directory;
  }

  async prepare(images: readonly BenchImage[]): Promise<void> {
    for (const image of images) await this.place.store.erofs(image, 'plain');
  }

  async mount(images: readonly BenchImage[], directory: string): Promise<MountedImages> {
    const servers: Server[] = [];
    const roots: string[] = [];
    for (const [index, image] of images.entries()) {
      const target = mountPoint(directory, index);
      await mkdir(target);
      servers.push({
        program: process.execPath,
        words: [
          join(__dirname, 'fuse-native-server.js'),
          this.#package,
          await this.place.store.erofs(image, 'plain'),
          target,
        ],
        environment: { LD_LIBRARY_PATH: this.place.tools.libraries('libfuse2').join(':') },
        targets: [target],
      });
      roots.push(target);
    }
    return ServedImages.start(servers, roots, join(directory, 'log'));
  }
}
