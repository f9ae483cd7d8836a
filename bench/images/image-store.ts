import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ImageBuilder } from '../../erofs/build-worker';
import type { CompressionOptions } from '../../erofs/build';
import { runCommand } from '../../scripts/process/command';
import type { Tool } from '../tool/tools';
import type { BenchImage } from './bench-image';
import { MergedTree } from './merged-tree';

/** How the EROFS image of an image is compressed. */
export type Encoding = 'plain' | 'lz4' | 'zstd';

const COMPRESSION: Readonly<Record<Encoding, CompressionOptions | undefined>> = {
  plain: undefined,
  lz4: { encoder: 'lz4', pclusterSize: 64 << 10, inlineTails: true, rules: [] },
  zstd: { encoder: 'zstd', pclusterSize: 64 << 10, inlineTails: true, rules: [] },
};

const COMPOSEFS_LIMIT = 600_000;

/** A composefs image with the files that it names by digest. */
export interface ComposefsImage {
  readonly image: string;
  readonly objects: string;
}

/** What peers mount, made of bench images once and kept in the cache. */
export class ImageStore implements AsyncDisposable {
  readonly #builder = new ImageBuilder({ concurrency: 1 });

  constructor(private readonly directory: string) {}

  /** The file that holds all layers of an image as one EROFS image of our writer's, with fingerprints. */
  async erofs(image: BenchImage, encoding: Encoding): Promise<string> {
    const target = join(this.directory, 'erofs', `${image.name}.${encoding}.erofs`);
    if (existsSync(target)) return target;
    await mkdir(join(this.directory, 'erofs'), { recursive: true });
    await using tree = await MergedTree.mount(image);
    await this.#builder.build({
      source: { directory: tree.path, overlay: false },
      target,
      compression: COMPRESSION[encoding],
    });
    return target;
  }

  /** All composefs images share one store of objects. */
  async composefs(image: BenchImage, { program, words }: Tool): Promise<ComposefsImage> {
    const directory = join(this.directory, 'composefs');
    const target = join(directory, `${image.name}.cfs`);
    const objects = join(directory, 'objects');
    if (existsSync(target)) return { image: target, objects };
    await mkdir(objects, { recursive: true });
    await using tree = await MergedTree.mount(image);
    const unfinished = `${target}.unfinished`;
    await runCommand(program, [...words, `--digest-store=${objects}`, tree.path, unfinished], {
      timeLimit: COMPOSEFS_LIMIT,
    });
    await rename(unfinished, target);
    return { image: target, objects };
  }

  /** Forgets what was made of an image, for images that are made anew. */
  async forget({ name }: BenchImage): Promise<void> {
    for (const encoding of Object.keys(COMPRESSION)) {
      await rm(join(this.directory, 'erofs', `${name}.${encoding}.erofs`), { force: true });
    }
    await rm(join(this.directory, 'composefs', `${name}.cfs`), { force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#builder[Symbol.asyncDispose]();
  }
}
