import { join } from 'node:path';
import { writeOciArchive, type WrittenImage } from '../../scripts/oci/oci-archive';
import type { LayerEntry } from '../../scripts/oci/layer-source';
import { busybox, hostPrograms } from './host-programs';
import { noise } from './noise';

/** A file of the data layer of a neighbour image; `path` as seen in the container. */
export interface DataFile {
  readonly path: string;
  readonly content: Buffer;
}

export interface NeighbourImage extends WrittenImage {
  /** Files with the same content in both images; in the second under other names and in other layers. */
  readonly shared: readonly DataFile[];
  /** Files whose content the other image does not have. */
  readonly own: readonly DataFile[];
}

/** The host's program that both images carry with its libraries; it maps the C library and then waits. */
export const WAITING_PROGRAM = '/usr/bin/sleep';

/** Sizes in bytes around the page and block boundaries, and one large enough to read ahead in. */
const SIZES = [1, 4095, 4096, 4097, 70_000, 2 << 20];

/**
 * Two images that have much in common, none of it by layer: programs and libraries, data files with the same content
 * under other names and with other times and owners, and data of their own. Both run `sleep infinity`.
 */
export async function makeNeighbours(directory: string): Promise<readonly [NeighbourImage, NeighbourImage]> {
  return [await makeNeighbour(directory, 'a'), await makeNeighbour(directory, 'b')];
}

async function makeNeighbour(directory: string, name: 'a' | 'b'): Promise<NeighbourImage> {
  const second = name === 'b';
  const shared = SIZES.map((size) => ({
    path: second ? `/other/place/copy-of-${size}` : `/data/shared-${size}`,
    content: noise(`shared ${size}`, size),
  }));
  const own = SIZES.map((size) => ({
    path: `/data/own-${size}`,
    content: noise(`own ${name} ${size}`, size),
  }));
  const entryOf = ({ path, content }: DataFile): LayerEntry => ({
    path: path.slice(1),
    type: 'file',
    content,
    modifiedSeconds: second ? 1_700_000_000 : 1_600_000_000,
    uid: second ? 1000 : 0,
  });
  const directories = (paths: readonly string[]): LayerEntry[] =>
    paths.map((path) => ({
      path,
      type: 'directory',
      modifiedSeconds: second ? 1_700_000_000 : 1_600_000_000,
    }));
  const programs = [...(await busybox()), ...(await hostPrograms([WAITING_PROGRAM]))];
  const image = await writeOciArchive(
    {
      reference: `harness.local/neighbour:${name}`,
      layers: [
        { entries: [...directories(['bin', 'dev', 'etc', 'proc', 'sys', 'tmp']), ...programs] },
        { entries: [...directories(['data', 'other', 'other/place']), ...[...shared, ...own].map(entryOf)] },
      ],
      config: { entrypoint: [WAITING_PROGRAM, 'infinity'] },
      compressionLevel: 1,
    },
    join(directory, `neighbour-${name}.tar`),
  );
  return { ...image, shared, own };
}
