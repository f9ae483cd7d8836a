import { mkdirSync } from 'node:fs';
import { ErofsImage, type Inode } from '../../erofs/image';
import { isRegularFile } from '../../erofs/inode';
import { makeAwkwardTree } from './awkward-tree';
import { Pseudorandom, makeCompressibleTree } from './compressible-tree';
import { newerTool, systemMkfs, type ErofsTool } from './erofs-utils';
import { KernelMount } from './kernel-mount';
import { TemporaryDirectory } from './temporary-directory';
import { describeHostTree, describeImage, portable, type TreeDescription } from './tree-description';

const long = process.env['ISHARE_TEST_LONG'] === '1';

/** Ranges of each file that are read besides all of it. */
const RANGES = 12;

let trees: TemporaryDirectory;
beforeAll(() => {
  trees = new TemporaryDirectory();
  for (const [name, make] of [
    ['compressible', makeCompressibleTree],
    ['awkward', makeAwkwardTree],
  ] as const) {
    mkdirSync(trees.join(name));
    make(trees.join(name));
  }
});
afterAll(() => trees[Symbol.dispose]());

function kernelTree(image: string, mountPoint: string): TreeDescription {
  using mounted = new KernelMount(image, mountPoint);
  return describeHostTree(mounted.path);
}

/** Reads parts of every file, here and there and one after the other, and compares them with all of it. */
async function checkRanges(image: ErofsImage): Promise<void> {
  const random = new Pseudorandom(7);
  const files: Inode[] = [];
  for await (const inode of image.files()) if (inode.size > 0) files.push(inode);
  for (const inode of files) {
    expect(isRegularFile(inode)).toBe(true);
    const whole = await image.read(inode, 0, inode.size);
    const ranges = Array.from({ length: RANGES }, () => {
      const start = random.below(inode.size);
      return [start, start + 1 + random.below(Math.min(200_000, inode.size - start))] as const;
    });
    // Together, so that they wait for one another's decodes.
    const parts = await Promise.all(ranges.map(([start, end]) => image.read(inode, start, end - start)));
    parts.forEach((part, index) => {
      const [start, end] = ranges[index]!;
      if (!part.equals(whole.subarray(start, end)))
        throw new Error(`inode ${inode.nid}, ${start} to ${end} differs`);
    });
  }
}

/** What source and image have in common, but for times: with compact inodes mkfs cuts the nanoseconds off. */
function timeless(tree: TreeDescription): ReturnType<typeof portable> {
  return new Map([...portable(tree)].map(([path, { mtimeNs: _mtimeNs, ...rest }]) => [path, rest]));
}

interface Judges {
  readonly source: boolean;
  readonly kernel: boolean;
}

/** Fails with the first path that differs: a diff of whole trees would be longer than anybody reads. */
function expectSame(ours: ReadonlyMap<string, unknown>, theirs: ReadonlyMap<string, unknown>): void {
  expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort());
  for (const [path, node] of ours) expect({ path, node }).toEqual({ path, node: theirs.get(path) });
}

async function compare(
  mkfs: ErofsTool,
  tree: string,
  options: readonly string[],
  judges: Judges = { source: true, kernel: true },
): Promise<void> {
  using directory = new TemporaryDirectory();
  const path = directory.join('image.erofs');
  const source = trees.join(tree);
  mkfs.run('--quiet', ...options, path, source);
  await using image = await ErofsImage.open(path);
  const ours = await describeImage(image);
  if (judges.source) expectSame(timeless(ours), timeless(describeHostTree(source)));
  if (judges.kernel) expectSame(ours, kernelTree(path, directory.join('mounted')));
  await checkRanges(image);
}

describe('images of the mkfs.erofs of this machine read as Linux reads them', () => {
  test.each([
    '-zlz4',
    '-zlz4hc,12',
    '-zlz4 -C65536',
    '-zlz4hc -C1048576',
    '-zlz4 -Elegacy-compress',
    '-zlz4hc -Eztailpacking',
    '-zlz4hc -C16384 -Eztailpacking',
    '-zlz4 -Enoinline_data,force-inode-extended',
    '-zlz4hc --max-extent-bytes=8192',
  ])('%s', async (options) => {
    await compare(systemMkfs, 'compressible', options.split(' '));
  });

  test.each(['-zlz4hc -Eztailpacking'])('of an awkward tree, %s', async (options) => {
    await compare(systemMkfs, 'awkward', options.split(' '));
  });
});

const newer = newerTool('mkfs.erofs');

const ALGORITHMS = ['lz4', 'lz4hc', 'lzma,level=1', 'deflate', 'zstd', 'lz4:zstd:lzma,level=1:deflate'];
const SIZES = [4096, 16_384, 65_536, 1_048_576];
const LAYOUTS = [
  '',
  '-Elegacy-compress',
  '-Eztailpacking',
  '-Efragments',
  '-Efragments,dedupe,ztailpacking',
  '-Eall-fragments',
  '-Eall-fragments,dedupe --zD',
  '-Ededupe',
  '-Ededupe,ztailpacking',
  '-E48bit',
  '-E48bit,fragments,dedupe --zD',
  '-E48bit,dedupe,ztailpacking',
  '-m4096 -Efragments --zD',
  '-m4096 -E48bit,all-fragments',
  '--MZ -Efragments --zD',
  '-b512',
  '-b1024 -Efragments,ztailpacking',
  '-b2048 -E48bit',
  '--xattr-inode-digest -Efragments --xattr-prefix=user.',
  '-Edot-omitted --chunksize=16384',
  '--max-extent-bytes=20480 -Eforce-inode-extended',
];

/** All combinations in the long run; else each layout with one algorithm and one size, in turn. */
const combinations = LAYOUTS.flatMap((layout, index) =>
  ALGORITHMS.flatMap((algorithm, turn) =>
    SIZES.flatMap((size, step) => {
      if (!long && (index % ALGORITHMS.length !== turn || (index + turn) % SIZES.length !== step)) return [];
      // Linux takes pclusters of 256 blocks at most, and mkfs has no more than 12 bits for their number.
      const blocks = size / Number(/-b(\d+)/.exec(layout)?.[1] ?? 4096);
      return blocks > 256 ? [] : [`-z${algorithm} -C${size} ${layout}`.trim()];
    }),
  ),
);

/**
 * Linux 6.18 and fsck.erofs 1.9.4 take an inline plain tail for rotated where the plain blocks of the file are, which
 * mkfs.erofs 1.9.4 does not mean: only the source can judge there.
 */
const rotatedTails = (options: string): boolean =>
  options.includes('ztailpacking') && /fragments|dedupe/.test(options);

(newer === undefined ? describe.skip : describe)(
  'images of the erofs-utils in ISHARE_TEST_EROFS_UTILS read as Linux reads them',
  () => {
    test.each(combinations)('%s', async (options) => {
      const judges = { source: true, kernel: !rotatedTails(options) };
      await compare(newer!, 'compressible', options.split(' '), judges);
    });

    // mkfs adds an xattr to directories with whiteouts, so that the source cannot judge.
    test.each([
      '-zlz4hc -C65536 -Eall-fragments,dedupe --zD',
      '-zzstd -C16384 -m4096 -E48bit --zD',
      '-zlz4hc -m4096 --xattr-prefix=user. --xattr-inode-digest',
      '-zlz4 -Efragments --xattr-prefix=trusted.overlay.',
    ])('of an awkward tree, %s', async (options) => {
      await compare(newer!, 'awkward', options.split(' '), { source: false, kernel: true });
    });
  },
);
