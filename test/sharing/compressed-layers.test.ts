import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DATA_LAYOUT } from '../../erofs/format/inode';
import { ErofsImage } from '../../erofs/image';
import { ContainerHost, ownNamespace, type Container, type Place } from '../harness/container-host';
import { makeProbeImages, type ProbeImage } from '../harness/probe-images';
import { holder, probe, probeAnswer, waitUntilHolding, WAYS } from '../harness/probe-program';

const namespace = ownNamespace('compressed');
let host: ContainerHost;
let images: readonly [ProbeImage, ProbeImage];

beforeAll(async () => {
  const domains = { default: 'one' };
  host = await ContainerHost.start({
    lz4: { domains, build: { encoder: 'lz4' } },
    zstd: { domains, build: { encoder: 'zstd' } },
    // The second image has its files in srv/.
    half: { domains, build: { encoder: 'zstd', rules: [{ pattern: '/srv/**', encoder: 'none' }] } },
    off: { domains, build: { encoder: 'lz4' }, fuse: { passthrough: false } },
  });
  const sizes = { shared: WAYS.map(() => 2 << 20), own: [1], compressible: true };
  images = await makeProbeImages(host.directory, sizes);
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

/** Layouts of the large files in the images of all layers of a daemon. */
async function layoutsOf(snapshotter: string): Promise<Set<number>> {
  const { root } = host.daemon(snapshotter).snapshotter;
  const layouts = new Set<number>();
  const images = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.erofs') && !name.endsWith('.merged.erofs'),
  );
  for (const name of images) {
    await using image = await ErofsImage.open(join(root, name));
    for await (const { size, layout } of image.files()) if (size === 2 << 20) layouts.add(layout);
  }
  return layouts;
}

/**
 * As in ways-to-read: who gets bytes without a READ request gets them from pages that another image's container has
 * brought into memory.
 */
describe.each([
  { snapshotter: 'lz4', what: 'two LZ4 images', sharing: true, plain: false },
  { snapshotter: 'zstd', what: 'two Zstandard images', sharing: true, plain: false },
  { snapshotter: 'half', what: 'a Zstandard image and a plain one', sharing: true, plain: true },
  { snapshotter: 'off', what: 'two LZ4 images without passthrough', sharing: false, plain: false },
])('$what', ({ snapshotter, sharing, plain }) => {
  const place: Place = { namespace, snapshotter };
  let second: Container;

  beforeAll(async () => {
    await host.import(images, place);
    const [{ programs, shared, tool }, { programs: same }] = images;
    await runHolder(images[0], [...programs, tool.path, ...shared.map(({ path }) => path)], place);
    second = await runHolder(images[1], same, place);
  });

  test('are what they should be', async () => {
    const expected = plain
      ? [DATA_LAYOUT.FLAT_PLAIN, DATA_LAYOUT.COMPRESSED_COMPACT]
      : [DATA_LAYOUT.COMPRESSED_COMPACT];
    expect([...(await layoutsOf(snapshotter))].sort()).toEqual(expected);
  });

  test.each(WAYS.map((way, index) => ({ way, index })))(
    `${sharing ? 'share the pages of' : 'share no page of'} a file that is read by $way`,
    async ({ way, index }) => {
      const { path, content } = images[1].shared[index]!;
      const { ishare } = host.daemon(snapshotter);
      const before = await ishare.reads();
      expect((await second.exec(...probe(way, path))).trim()).toBe(probeAnswer(content));
      const reads = (await ishare.reads()) - before;
      if (sharing) expect(reads).toBe(0);
      else expect(reads).toBeGreaterThan(0);
    },
  );
});

async function runHolder(image: ProbeImage, paths: readonly string[], place: Place): Promise<Container> {
  const container = await host.run(image, place, holder('hold-mapped', paths));
  await waitUntilHolding(container.pid);
  return container;
}
