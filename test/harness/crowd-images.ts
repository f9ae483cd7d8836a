import { join } from 'node:path';
import type { LayerEntry } from '../../scripts/oci/layer-source';
import { writeOciArchive, type WrittenImage } from '../../scripts/oci/oci-archive';
import { busybox } from './host-programs';
import type { DataFile } from './images';
import { noise } from './noise';

/** An image that runs `sleep` of a static busybox. */
export interface CrowdImage extends WrittenImage {
  /** What every image of the crowd has, in a layer of its own. */
  readonly shared: DataFile;
  readonly own: DataFile;
}

const BYTES = 256 * 1024;

/** Images that have the same programs and one data file in common, and no layer. */
export async function makeCrowd(directory: string, count: number): Promise<CrowdImage[]> {
  const shared = { path: '/data/shared', content: noise('crowd', BYTES) };
  const images: CrowdImage[] = [];
  for (let index = 0; index < count; index += 1) {
    const own = { path: '/data/own', content: noise(`crowd ${index}`, BYTES) };
    // Times make the layers different ones.
    const modifiedSeconds = 1_600_000_000 + index;
    const directories = (...paths: string[]): LayerEntry[] =>
      paths.map((path) => ({ path, type: 'directory', modifiedSeconds }));
    const files = [shared, own].map(({ path, content }): LayerEntry => ({
      path: path.slice(1),
      type: 'file',
      content,
      modifiedSeconds,
    }));
    const image = await writeOciArchive(
      {
        reference: `harness.local/crowd:${index}`,
        layers: [
          {
            entries: [...directories('bin', 'dev', 'etc', 'proc', 'run', 'sys', 'tmp'), ...(await busybox())],
          },
          { entries: [...directories('data'), ...files] },
        ],
        config: { entrypoint: ['/bin/sleep', '1000000'] },
        compression: 'none',
      },
      join(directory, `crowd-${index}.tar`),
    );
    images.push({ ...image, shared, own });
  }
  return images;
}
