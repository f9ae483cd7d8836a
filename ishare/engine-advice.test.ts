import { constants, mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { buildImage } from '../erofs/build';
import { EnginePlace, TEAM } from './testing/engine-place';
import { FileUser } from './testing/file-user';

const PAGE = 4096;
const HOLE = 1 << 20;

/** Contents by name; the last one has a hole in the middle. */
const contents: Readonly<Record<string, Buffer>> = {
  empty: Buffer.alloc(0),
  byte: Buffer.from('x'),
  page: filled(PAGE, 1),
  'page-and-one': filled(PAGE + 1, 2),
  large: filled(3 * 2 ** 20 + 77, 3),
  sparse: Buffer.concat([filled(PAGE, 4), Buffer.alloc(HOLE), filled(PAGE + 5, 5)]),
};

let directory: string;
let images: string[];

function filled(length: number, seed: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index * (seed + 6) + (index >>> 8) * 31) & 255));
}

/** Jest's own comparison of bytes takes seconds for a megabyte. */
function expectSame(actual: Buffer, wanted: Buffer): void {
  expect(actual.length).toBe(wanted.length);
  expect(actual.equals(wanted)).toBe(true);
}

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'advice-'));
  images = [];
  for (const encoder of ['none', 'lz4'] as const) {
    const tree = path.join(directory, encoder);
    mkdirSync(tree);
    for (const [name, content] of Object.entries(contents)) writeFileSync(path.join(tree, name), content);
    await writeFile(path.join(tree, 'sparse'), contents['sparse']!.subarray(0, PAGE));
    await truncate(path.join(tree, 'sparse'), PAGE + HOLE);
    await writeFile(path.join(tree, 'sparse'), contents['sparse']!.subarray(PAGE + HOLE), { flag: 'a' });
    const target = path.join(directory, `${encoder}.erofs`);
    const compression =
      encoder === 'none' ? undefined : { encoder, pclusterSize: 65_536, rules: [], inlineTails: true };
    await buildImage({ source: { directory: tree, overlay: false }, target, compression });
    images.push(target);
  }
});

afterAll(() => rm(directory, { recursive: true }));

describe.each([true, false])('with passthrough %s', (passthrough) => {
  let place: EnginePlace;
  let roots: string[];

  beforeAll(async () => {
    place = await EnginePlace.start({ passthrough });
    roots = [];
    for (const image of images) roots.push(await place.engine.attach(place.layer(image, TEAM)));
  });

  afterAll(() => place[Symbol.asyncDispose]());

  test.each(Object.keys(contents))(
    'O_DIRECT reads the right bytes of %s, also beside a buffered handle',
    async (name) => {
      const content = contents[name]!;
      for (const root of roots) {
        await using direct = await FileUser.open(`${root}/${name}`, constants.O_DIRECT);
        expectSame(await direct.read(0, content.length + PAGE), content);
        await using buffered = await FileUser.open(`${root}/${name}`);
        expectSame(await buffered.read(0, content.length + PAGE), content);
        expectSame(await direct.read(0, content.length), content);
        const from = Math.min(PAGE, content.length);
        expectSame(await direct.read(from, content.length), content.subarray(from));
      }
    },
  );

  test.each(Object.keys(contents))('advice and readahead leave the right bytes of %s', async (name) => {
    const content = contents[name]!;
    for (const root of roots) {
      await using user = await FileUser.open(`${root}/${name}`);
      await user.willNeed(0, 0);
      await user.readahead(0, content.length);
      expectSame(await user.read(0, content.length + PAGE), content);
    }
  });

  test('any range by any way has the bytes of the file', async () => {
    const name = fc.constantFrom('page-and-one', 'large', 'sparse');
    const range = fc.tuple(fc.nat(3 * 2 ** 20), fc.integer({ min: 1, max: 300_000 }));
    const how = fc.constantFrom('read', 'direct', 'willneed', 'readahead');
    await fc.assert(
      fc.asyncProperty(
        name,
        fc.constantFrom(...roots),
        range,
        how,
        async (file, root, [offset, length], way) => {
          const content = contents[file]!;
          await using user = await FileUser.open(
            `${root}/${file}`,
            way === 'direct' ? constants.O_DIRECT : 0,
          );
          if (way === 'willneed') await user.willNeed(offset, length);
          if (way === 'readahead') await user.readahead(offset, length);
          expectSame(await user.read(offset, length), content.subarray(offset, offset + length));
        },
      ),
      { numRuns: 25 },
    );
  });
});

test('what is asked for in advance is read into the shared pages, and kept only there', async () => {
  await using place = await EnginePlace.start();
  const [first, second] = [
    await place.engine.attach(place.layer(images[0]!, TEAM)),
    await place.engine.attach(place.layer(images[1]!, TEAM)),
  ];
  const content = contents['large']!;
  await using user = await FileUser.open(`${first}/large`);
  for (let offset = 0; offset < content.length; offset += 131_072) await user.willNeed(offset, 131_072);
  const cached = async (): Promise<number> =>
    (await place.engine.measure()).inodes.find(({ size }) => size === content.length)?.cachedBytes ?? 0;
  const deadline = Date.now() + 10_000;
  while ((await cached()) < content.length && Date.now() < deadline) await sleep(20);
  expect(await cached()).toBeGreaterThanOrEqual(content.length);
  // Pages count as soon as they are being read.
  let reads = -1;
  while (reads !== (await place.dedupReads())) {
    reads = await place.dedupReads();
    await sleep(100);
  }
  await using other = await FileUser.open(`${second}/large`);
  expectSame(await other.read(0, content.length), content);
  expectSame(await user.read(0, content.length), content);
  expect(await place.dedupReads()).toBe(reads);
});
