import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeOciArchive, type WrittenImage } from '../../scripts/oci/oci-archive';
import type { LayerEntry } from '../../scripts/oci/layer-source';
import { busybox } from './host-programs';
import type { DataFile } from './images';
import { noise } from './noise';
import { probeProgram } from './probe-program';

/** An image that runs `sleep` of a static busybox and carries the probe. */
export interface ProbeImage extends WrittenImage {
  /** A static program that both images have and nothing runs; `true` as its argument makes it end at once. */
  readonly tool: DataFile;
  /** Paths of what running the probe reads. */
  readonly programs: readonly string[];
  /** Files whose content the other image has too, in the same order; elsewhere and with other metadata. */
  readonly shared: readonly [DataFile, ...DataFile[]];
  /** Files whose content the other image does not have. */
  readonly own: readonly [DataFile, ...DataFile[]];
}

export interface ProbeImageSizes {
  /** Bytes of each file that both images have. */
  readonly shared: readonly number[];
  /** Bytes of each file that is one image's own. */
  readonly own: readonly number[];
  /** Files that compressors make something of. */
  readonly compressible?: boolean;
}

/** Sizes for tests that look at pages one by one. */
export const SMALL: ProbeImageSizes = { shared: [4 << 20, 4097, 1], own: [1 << 20, 4095] };

/** Two images without a common layer and with common files. */
export async function makeProbeImages(
  directory: string,
  sizes: ProbeImageSizes = SMALL,
): Promise<readonly [ProbeImage, ProbeImage]> {
  return [await makeProbeImage(directory, sizes, 'a'), await makeProbeImage(directory, sizes, 'b')];
}

async function makeProbeImage(
  directory: string,
  sizes: ProbeImageSizes,
  name: 'a' | 'b',
): Promise<ProbeImage> {
  const second = name === 'b';
  const bytes = sizes.compressible === true ? digits : noise;
  const shared = sizes.shared.map((size, index) => ({
    path: second ? `/srv/copies/${index}.bin` : `/data/shared-${index}`,
    content: bytes(`shared ${index}`, size),
  }));
  const own = sizes.own.map((size, index) => ({
    path: `/data/own-${index}`,
    content: bytes(`own ${name} ${index}`, size),
  }));
  const tool = {
    path: second ? '/srv/busybox' : '/data/busybox',
    // Bytes behind its end make it a content of its own.
    content: Buffer.concat([await readFile('/bin/busybox'), noise('tool', 1000)]),
  };
  const modifiedSeconds = second ? 1_700_000_000 : 1_600_000_000;
  const directories = (...paths: string[]): LayerEntry[] =>
    paths.map((path) => ({ path, type: 'directory', modifiedSeconds }));
  const files = [...shared, ...own].map(({ path, content }): LayerEntry => ({
    path: path.slice(1),
    type: 'file',
    content,
    modifiedSeconds,
    uid: second ? 1000 : 0,
    mode: second ? 0o600 : 0o644,
  }));
  const executable: LayerEntry = {
    path: tool.path.slice(1),
    type: 'file',
    content: tool.content,
    modifiedSeconds,
    mode: 0o755,
  };
  const probe = await probeProgram();
  const image = await writeOciArchive(
    {
      reference: `harness.local/probe:${name}`,
      layers: [
        {
          entries: [
            ...directories('bin', 'dev', 'etc', 'proc', 'run', 'sys', 'tmp'),
            ...(await busybox()),
            ...probe,
          ],
        },
        { entries: [...directories('data', 'srv', 'srv/copies'), ...files, executable] },
      ],
      config: { entrypoint: ['/bin/sleep', '1000000'] },
      compression: 'none',
    },
    join(directory, `probe-${name}.tar`),
  );
  return {
    ...image,
    tool,
    programs: probe.map(({ path }) => `/${path}`),
    shared: atLeastOne(shared),
    own: atLeastOne(own),
  };
}

/** Noise as hexadecimal digits: half of it is air. */
function digits(seed: string, length: number): Buffer {
  return Buffer.from(
    noise(seed, Math.ceil(length / 2))
      .toString('hex')
      .slice(0, length),
    'latin1',
  );
}

function atLeastOne<Item>(items: readonly Item[]): readonly [Item, ...Item[]] {
  const [first, ...rest] = items;
  if (first === undefined) throw new Error('an image needs a file of each kind');
  return [first, ...rest];
}
