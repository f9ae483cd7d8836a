import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { writeOciArchive } from '../../scripts/oci/oci-archive';
import type { BenchImage } from './bench-image';

/** An image as containerd imports it. */
export interface ArchivedImage {
  readonly archive: string;
  readonly reference: string;
}

/** OCI archives of bench images with their layers, gzip-compressed; made once and kept. */
export class ImageArchives {
  constructor(private readonly directory: string) {}

  async archive(image: BenchImage, signal: AbortSignal): Promise<ArchivedImage> {
    const archive = join(this.directory, `${image.name}.tar`);
    const reference = `bench.local/${image.name}:latest`;
    if (existsSync(archive)) return { archive, reference };
    await mkdir(this.directory, { recursive: true });
    const unfinished = `${archive}.unfinished`;
    const layers = image.layers.map((directory) => ({ directory }));
    await writeOciArchive(
      { reference, layers, config: { command: ['/bin/sleep', 'infinity'] } },
      unfinished,
      signal,
    );
    await rename(unfinished, archive);
    return { archive, reference };
  }
}
