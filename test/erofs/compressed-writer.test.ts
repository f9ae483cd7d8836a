import { readFileSync, statSync } from 'node:fs';
import fc from 'fast-check';
import { buildImage, buildImageOfTree, type CompressionOptions } from '../../erofs/build';
import { ALGORITHM } from '../../erofs/format/compression';
import { DATA_LAYOUT } from '../../erofs/format/inode';
import { ErofsImage } from '../../erofs/image';
import { BytesContent } from '../../erofs/writer/content';
import { BATCH_SIZE } from '../../erofs/writer/content-task';
import { complaintsOfSystemFsck, fingerprintFsck } from '../../erofs/writer/testing/fsck';
import { MountedImage } from '../../erofs/writer/testing/mounted-image';
import { differences, expectedObservation, observeDirectory } from '../../erofs/writer/testing/observation';
import { randomTree } from '../../erofs/writer/testing/random-tree';
import { directory, file } from '../../erofs/writer/testing/sample-tree';
import { ScratchDirectory } from '../../erofs/writer/testing/scratch-directory';
import { makeAwkwardTree } from './awkward-tree';
import { makeCompressibleTree, mixture, prose, Pseudorandom } from './compressible-tree';
import { newerTool, systemMkfs } from '../../erofs/testing/erofs-utils';
import { describeHostTree, describeImage, portable } from './tree-description';
import { assertWhole } from '../../linux/testing/whole-trials';
import { LONG } from '../../linux/testing/long-trials';

const usual: CompressionOptions = { encoder: 'lz4', pclusterSize: 4096, inlineTails: false, rules: [] };

const WAYS: readonly (readonly [string, CompressionOptions])[] = [
  ['LZ4', usual],
  ['LZ4 with inline tails', { ...usual, inlineTails: true }],
  ['LZ4, pclusters of 64 KiB', { ...usual, pclusterSize: 65_536 }],
  ['LZ4, pclusters of 1 MiB, inline tails', { ...usual, pclusterSize: 1 << 20, inlineTails: true }],
  ['LZ4HC', { ...usual, encoder: 'lz4hc', level: 12, pclusterSize: 16_384, inlineTails: true }],
  ['Zstandard', { ...usual, encoder: 'zstd' }],
  ['Zstandard, pclusters of 128 KiB, inline tails', zstd(131_072)],
  [
    'several encoders by rule',
    {
      ...zstd(32_768),
      rules: [
        { pattern: 'small/*', settings: { encoder: 'lz4', pclusterSize: 4096 } },
        { pattern: '*-2m', settings: 'none' },
        { pattern: '/mixture*', settings: { encoder: 'lz4hc', level: 3, pclusterSize: 8192 } },
      ],
    },
  ],
];

function zstd(pclusterSize: number): CompressionOptions {
  return { ...usual, encoder: 'zstd', level: 5, pclusterSize, inlineTails: true };
}

/** Debian 12's fsck.erofs knows LZ4 only. */
function expectSound(image: string, options: CompressionOptions): void {
  const encoders = [options, ...options.rules.map(({ settings }) => settings)];
  if (encoders.every((each) => each === 'none' || each.encoder !== 'zstd')) {
    expect(complaintsOfSystemFsck(image)).toBe('');
  }
  const judge = fingerprintFsck();
  if (judge !== undefined) expect(judge(image)).toBe('');
}

let trees: ScratchDirectory;

beforeAll(() => {
  trees = new ScratchDirectory('tmpfs');
  trees.shell('mkdir compressible awkward');
  makeCompressibleTree(trees.join('compressible'));
  makeAwkwardTree(trees.join('awkward'));
});

afterAll(() => {
  trees[Symbol.dispose]();
});

/** Every way in the long run, else every second. */
const SOME_WAYS = WAYS.filter((_, index) => LONG || index % 2 === 1);

describe.each(WAYS)('an image compressed with %s', (name, compression) => {
  const some = SOME_WAYS.some(([each]) => each === name);

  test.each(some ? ['compressible', 'awkward'] : ['compressible'])(
    'equals the %s source, mounted by the kernel and read by us, and is sound',
    async (tree) => {
      using scratch = new ScratchDirectory();
      const source = { directory: trees.join(tree), overlay: false };
      const target = scratch.join('image');
      await buildImage({ source, target, compression });
      expectSound(target, compression);
      const expected = portable(describeHostTree(source.directory));
      using mounted = new MountedImage(target);
      expect(portable(describeHostTree(mounted.path))).toEqual(expected);
      await using image = await ErofsImage.open(target);
      expect(portable(await describeImage(image))).toEqual(expected);
    },
  );
});

describe.each(SOME_WAYS)('an image made with %s', (_name, compression) => {
  test('is the same, byte for byte, whatever the number of threads', async () => {
    using scratch = new ScratchDirectory();
    const source = { directory: trees.join('compressible'), overlay: false };
    for (const threads of [1, 2, 5]) {
      await buildImage({ source, target: scratch.join(`${threads}`), compression, threads });
    }
    const [first, ...others] = [1, 2, 5].map((threads) => readFileSync(scratch.join(`${threads}`)));
    for (const other of others) expect(other.equals(first!)).toBe(true);
  });
});

// mkfs.erofs chooses by rule in another way.
describe.each(SOME_WAYS.filter(([, { rules }]) => rules.length === 0))(
  'an image with %s',
  (_name, compression) => {
    const mkfs = newerTool('mkfs.erofs');

    (mkfs === undefined ? test.skip : test)(
      'is no more than 5 % larger than that of mkfs.erofs',
      async () => {
        using scratch = new ScratchDirectory();
        const source = { directory: trees.join('compressible'), overlay: false };
        const { bytes } = await buildImage({ source, target: scratch.join('ours'), compression });
        const { encoder, level, pclusterSize, inlineTails } = compression;
        mkfs?.run(
          `-z${encoder}${level === undefined ? '' : `,${level}`}`,
          `-C${pclusterSize}`,
          ...(inlineTails ? ['-Eztailpacking'] : []),
          '--xattr-inode-digest=erofs.fingerprint.v1',
          scratch.join('theirs'),
          source.directory,
        );
        expect(bytes).toBeLessThanOrEqual(statSync(scratch.join('theirs')).size * 1.05);
      },
    );
  },
);

test('any tree is in a compressed image as it was in memory', async () => {
  using scratch = new ScratchDirectory();
  await assertWhole(
    fc.asyncProperty(randomTree, fc.constantFrom(...WAYS), async (root, [, compression]) => {
      const target = scratch.join('random.erofs');
      await buildImageOfTree(root, { target, compression });
      expectSound(target, compression);
      using mounted = new MountedImage(target);
      expect(differences(observeDirectory(mounted.path), expectedObservation(root))).toEqual([]);
    }),
    { numRuns: LONG ? 40 : 15, limitMs: 45_000 },
  );
});

/** Files of one image, one after another, read back whole and compared. */
async function expectContents(
  contents: Readonly<Record<string, Buffer>>,
  compression: CompressionOptions,
): Promise<Readonly<Record<string, number>>> {
  using scratch = new ScratchDirectory();
  const entries = Object.entries(contents).map(([name, bytes]) => [name, file(new BytesContent(bytes))]);
  const root = directory(Object.fromEntries(entries) as Parameters<typeof directory>[0]);
  const target = scratch.join('image');
  await buildImageOfTree(root, { target, compression });
  expectSound(target, compression);
  using mounted = new MountedImage(target);
  await using image = await ErofsImage.open(target);
  const top = await image.inode(image.rootNid);
  const layouts: Record<string, number> = {};
  for (const [name, bytes] of Object.entries(contents)) {
    expect(readFileSync(`${mounted.path}/${name}`).equals(bytes)).toBe(true);
    const found = await image.lookup(top, Buffer.from(name));
    const inode = await image.inode(found!.nid);
    expect((await image.read(inode, 0, inode.size)).equals(bytes)).toBe(true);
    layouts[name] = inode.layout;
  }
  return layouts;
}

describe('a file', () => {
  const noise = new Pseudorandom(7).bytes(2 * BATCH_SIZE + 999);

  test('that would not become smaller is plain', async () => {
    const layouts = await expectContents(
      {
        large: noise,
        small: noise.subarray(0, 3000),
        block: noise.subarray(0, 4096),
        odd: noise.subarray(0, 9000),
      },
      zstd(65_536),
    );
    expect(layouts).toEqual({
      large: DATA_LAYOUT.FLAT_INLINE,
      small: DATA_LAYOUT.FLAT_INLINE,
      block: DATA_LAYOUT.FLAT_PLAIN,
      odd: DATA_LAYOUT.FLAT_INLINE,
    });
  });

  test.each([
    ['noise before text', (text: Buffer) => [noise.subarray(0, BATCH_SIZE), text]],
    ['text before noise', (text: Buffer) => [text, noise.subarray(0, 2 * BATCH_SIZE - text.length + 77)]],
    ['noise between texts', (text: Buffer) => [text, noise, text]],
    ['a little text at the end of noise', (text: Buffer) => [noise, text.subarray(0, 5000)]],
    ['a little noise at the end of text', (text: Buffer) => [text, noise.subarray(0, 777)]],
    ['a mixture', () => [mixture(BATCH_SIZE + 12_345, 8)]],
    ['zeros', () => [Buffer.alloc(3 * BATCH_SIZE + 1)]],
  ])('of several pieces, with %s, comes back', async (_what, parts) => {
    const bytes = Buffer.concat(parts(prose(BATCH_SIZE - 4096, 9)));
    await expectContents({ bytes }, { ...usual, inlineTails: true });
    if (!LONG) return;
    await expectContents({ bytes }, { ...usual, pclusterSize: 262_144 });
    await expectContents({ bytes }, usual);
    await expectContents({ bytes }, { ...usual, pclusterSize: 262_144, inlineTails: true });
  });

  test('of every size around a block and a piece comes back', async () => {
    const sizes = [1, 15, 16, 17, 4095, 4096, 4097, 8191, 8192, 8193, 12_289, BATCH_SIZE - 1, BATCH_SIZE + 1];
    for (const compression of [usual, { ...usual, inlineTails: true }, zstd(8192)]) {
      await expectContents(
        Object.fromEntries(sizes.map((size) => [`${size}`, prose(size, size)])),
        compression,
      );
    }
  });
});

test('an image says what compressed it, in a way that no mount shows', async () => {
  using scratch = new ScratchDirectory();
  const target = scratch.join('image');
  const compression = { ...zstd(65_536), rules: [{ pattern: '*.so', settings: usual }] };
  const { codecs, compressedFiles } = await buildImageOfTree(
    directory({ text: file(new BytesContent(prose(100_000, 1))), tiny: file('x') }),
    { target, compression },
  );
  expect(codecs).toEqual([
    expect.stringMatching(/^liblz4 \d+\.\d+\.\d+$/) as unknown,
    expect.stringMatching(/^libzstd \d+\.\d+\.\d+$/) as unknown,
  ]);
  expect(compressedFiles).toBe(1);
  await using image = await ErofsImage.open(target);
  expect(await image.codecs()).toBe(codecs.join(', '));
  expect(await image.xattrs(await image.inode(image.rootNid))).toEqual([]);
  // Only what is used is announced: a kernel without LZ4 may mount this.
  expect(image.superblock.compressionWord).toBe(1 << ALGORITHM.ZSTD);
});

test('an image of nothing that is worth compressing is a plain one', async () => {
  using scratch = new ScratchDirectory();
  const target = scratch.join('image');
  const root = directory({ noise: file(new BytesContent(new Pseudorandom(1).bytes(50_000))) });
  expect((await buildImageOfTree(root, { target, compression: zstd(4096) })).compressedFiles).toBe(0);
  await using image = await ErofsImage.open(target);
  expect(image.superblock.featureIncompat & 0x13).toBe(0);
});

test.each([
  [{ pclusterSize: 5000 }, /pclusters of 5000 bytes/],
  [{ pclusterSize: 2 << 20 }, /pclusters of 2097152 bytes/],
  [{ level: 3 }, /lz4 has no levels/],
  [{ encoder: 'zstd' as const, level: 23 }, /zstd has levels from 1 to 22/],
  [{ rules: [{ pattern: '', settings: 'none' as const }] }, /pattern is empty/],
])('options that no encoder understands are refused: %j', async (wrong, message) => {
  using scratch = new ScratchDirectory();
  const target = scratch.join('image');
  const build = buildImageOfTree(directory(), { target, compression: { ...usual, ...wrong } });
  await expect(build).rejects.toThrow(RangeError);
  await expect(build).rejects.toThrow(message);
});

test('mkfs.erofs of this machine and ours agree on what a plain tree takes', async () => {
  using scratch = new ScratchDirectory();
  const source = { directory: trees.join('compressible'), overlay: false };
  const { bytes } = await buildImage({ source, target: scratch.join('ours') });
  systemMkfs.run('-T0', scratch.join('theirs'), source.directory);
  expect(bytes).toBeLessThanOrEqual(statSync(scratch.join('theirs')).size * 1.05);
});
