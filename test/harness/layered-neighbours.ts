import { join } from 'node:path';
import type { LayerEntry } from '../../scripts/oci/layer-source';
import { writeOciArchive, type WrittenImage } from '../../scripts/oci/oci-archive';
import { noise } from './noise';

const MIB = 1 << 20;

/** Sizes that leave much of a last page empty, so that it matters how pages are counted. */
const SMALL_SIZES = Array.from({ length: 400 }, (_, index) => 1 + ((index * 2017) % 9_000));

/**
 * Two images of some 40 MiB each as container images are: on one base layer, of which either hides something else, files
 * of the same content in other layers and under other names, hard links, empty files, copies within one image, and files
 * of their own. Nothing in them runs.
 */
export async function makeLayeredNeighbours(
  directory: string,
): Promise<readonly [WrittenImage, WrittenImage]> {
  return [await makeNeighbour(directory, 'a'), await makeNeighbour(directory, 'b')];
}

function makeNeighbour(directory: string, name: 'a' | 'b'): Promise<WrittenImage> {
  return writeOciArchive(
    {
      reference: `harness.local/layered:${name}`,
      layers: [{ entries: baseEntries() }, { entries: name === 'a' ? upperOfA() : upperOfB() }],
      config: { entrypoint: ['/nothing'] },
      compression: 'none',
    },
    join(directory, `layered-${name}.tar`),
  );
}

function baseEntries(): LayerEntry[] {
  return [
    directoryEntry('base'),
    ...fileEntries('base/small', 'base small', SMALL_SIZES),
    fileEntry('base/large', 'base large', 8 * MIB + 1),
    fileEntry('base/hidden-by-a', 'hidden by a', 2 * MIB + 5),
    directoryEntry('base/hidden-by-b'),
    fileEntry('base/hidden-by-b/file', 'hidden by b', 3 * MIB + 7),
    { path: 'base/second-name', type: 'link', target: 'base/large' },
  ];
}

function upperOfA(): LayerEntry[] {
  return [
    directoryEntry('base'),
    whiteout('base/.wh.hidden-by-a'),
    directoryEntry('data'),
    ...fileEntries('data/both', 'both', SMALL_SIZES),
    fileEntry('data/both-large', 'both large', 16 * MIB + 4095),
    fileEntry('data/once-more', 'both large', 16 * MIB + 4095),
    ...fileEntries('data/own', 'own of a', SMALL_SIZES),
    // The content that the other image has hidden in its base.
    fileEntry('data/as-in-base', 'hidden by b', 3 * MIB + 7),
    { path: 'data/empty', type: 'file' },
  ];
}

function upperOfB(): LayerEntry[] {
  return [
    directoryEntry('base'),
    directoryEntry('base/hidden-by-b'),
    whiteout('base/hidden-by-b/.wh..wh..opq'),
    // Takes the place of a file of the base.
    fileEntry('base/large', 'replaced by b', MIB + 1),
    directoryEntry('srv'),
    ...fileEntries('srv/copy', 'both', SMALL_SIZES),
    fileEntry('srv/copy-large', 'both large', 16 * MIB + 4095),
    ...fileEntries('srv/own', 'own of b', SMALL_SIZES),
    { path: 'srv/linked', type: 'link', target: 'srv/copy-large' },
  ];
}

function directoryEntry(path: string): LayerEntry {
  return { path, type: 'directory' };
}

function whiteout(path: string): LayerEntry {
  return { path, type: 'file' };
}

function fileEntry(path: string, seed: string, size: number): LayerEntry {
  return { path, type: 'file', content: noise(seed, size) };
}

function fileEntries(path: string, seed: string, sizes: readonly number[]): LayerEntry[] {
  return sizes.map((size, index) => fileEntry(`${path}-${index}`, `${seed} ${index}`, size));
}
