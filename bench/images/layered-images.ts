import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayerSource } from '../../scripts/oci/layer-source';
import { writeOciArchive } from '../../scripts/oci/oci-archive';
import type { BenchImage } from './bench-image';
import type { ArchivedImage } from './image-archives';

/** An image with many layers: those of another, and small ones above; made once and kept. */
export async function layeredImage(
  directory: string,
  below: BenchImage,
  layers: number,
  signal: AbortSignal,
): Promise<ArchivedImage> {
  const archive = join(directory, `layers-${layers}.tar`);
  const reference = `bench.local/layers:${layers}`;
  if (existsSync(archive)) return { archive, reference };
  await mkdir(directory, { recursive: true });
  const sources = Array.from({ length: layers }, (_, index): LayerSource => {
    const base = below.layers[0];
    if (index === 0 && base !== undefined) return { directory: base };
    return { entries: [{ path: `layer-${index}`, type: 'file', content: `layer ${index}\n` }] };
  });
  const config = { command: ['/bin/sleep', 'infinity'] };
  await writeOciArchive({ reference, layers: sources, config }, `${archive}.unfinished`, signal);
  await rename(`${archive}.unfinished`, archive);
  return { archive, reference };
}
