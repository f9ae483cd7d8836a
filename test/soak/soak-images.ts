import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { LayerEntry } from '../../scripts/oci/layer-source';
import { writeOciArchive, type WrittenImage } from '../../scripts/oci/oci-archive';
import { chainIds } from '../harness/container-host';
import { busybox } from '../harness/host-programs';
import { noise } from '../harness/noise';

/** What a tree holds below `/data` and `/srv`: SHA-256 of each regular file, by path. */
export type Contents = ReadonlyMap<string, string>;

/** Directories that the contents are about, in containers and in mounted trees. */
export const COMPARED = ['data', 'srv'] as const;

export interface SoakImage extends WrittenImage {
  /** Names of the snapshots that its layers become, the lowest first. */
  readonly chain: readonly string[];
  readonly contents: Contents;
}

const SIZES = [1, 4095, 4097, 30_000, 700_001];
const COUNT = 4;

/**
 * Small images, of which every second one has the two lowest layers in common, and all have the same contents elsewhere.
 * Their topmost layers hide something.
 */
export async function makeSoakImages(directory: string): Promise<SoakImage[]> {
  const images: SoakImage[] = [];
  for (let index = 0; index < COUNT; index += 1) images.push(await makeImage(directory, index));
  return images;
}

async function makeImage(directory: string, index: number): Promise<SoakImage> {
  const pair = index % 2;
  const below = SIZES.map((size, at): File => [
    pair === 0 ? `data/shared-${at}` : `srv/copy-${at}`,
    noise(`shared ${at}`, size),
  ]);
  const above = SIZES.flatMap((size, at): File[] => [
    [`data/own-${at}`, noise(`own ${index} ${at}`, size)],
    // The same in all images, and beside it in the layer below where that is under another name.
    [`srv/again-${index}-${at}`, noise(`shared ${at}`, size)],
  ]);
  const [[hidden]] = below as [File, ...File[]];
  const [parent = '', name = ''] = hidden.split('/');
  const image = await writeOciArchive(
    {
      reference: `harness.local/soak:${index}`,
      layers: [
        { entries: [...directories('bin', 'dev', 'proc', 'sys', 'tmp'), ...(await busybox())] },
        { entries: [...directories(...COMPARED), ...below.map(fileEntry)] },
        {
          entries: [
            ...directories(...COMPARED),
            { path: `${parent}/.wh.${name}`, type: 'file' },
            ...above.map(fileEntry),
          ],
        },
      ],
      config: { entrypoint: ['/bin/sleep', '1000000'] },
      compression: 'none',
    },
    join(directory, `soak-${index}.tar`),
  );
  const seen = [...below, ...above].filter(([path]) => path !== hidden);
  return {
    ...image,
    chain: chainIds(image),
    contents: new Map(seen.map(([path, content]) => [`/${path}`, sha256(content)])),
  };
}

type File = readonly [path: string, content: Buffer];

function fileEntry([path, content]: File): LayerEntry {
  return { path, type: 'file', content };
}

function directories(...paths: string[]): LayerEntry[] {
  return paths.map((path) => ({ path, type: 'directory' }));
}

export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
