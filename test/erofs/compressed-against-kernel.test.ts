import { mkdirSync } from 'node:fs';
import { makeAwkwardTree } from './awkward-tree';
import { makeCompressibleTree } from './compressible-tree';
import { newerTool, systemMkfs, type ErofsTool } from '../../erofs/testing/erofs-utils';
import { compareImage, type Judges } from './image-comparison';
import { TemporaryDirectory } from './temporary-directory';
import { LONG } from '../../linux/testing/long-trials';

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

/** Makes an image of one of the trees, and compares. */
async function compare(
  mkfs: ErofsTool,
  tree: string,
  options: readonly string[],
  judges: Judges = { source: true, kernel: true },
): Promise<void> {
  using directory = new TemporaryDirectory();
  const image = directory.join('image.erofs');
  mkfs.run('--quiet', ...options, image, trees.join(tree));
  await compareImage(directory, { image, source: trees.join(tree), judges });
}

/** All in the long run, else every third: the random images of every run have all of these options, too. */
function some<Item>(items: readonly Item[]): readonly Item[] {
  return LONG ? items : items.filter((_, index) => index % 3 === 0);
}

describe('images of the mkfs.erofs of this machine read as Linux reads them', () => {
  test.each(
    some([
      '-zlz4 -Elegacy-compress',
      '-zlz4hc,12',
      '-zlz4 -C65536',
      '-zlz4hc -C16384 -Eztailpacking',
      '-zlz4',
      '-zlz4hc -Eztailpacking',
      '-zlz4hc --max-extent-bytes=8192',
      '-zlz4 -Enoinline_data,force-inode-extended',
      '-zlz4hc -C1048576',
    ]),
  )('%s', async (options) => {
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
      if (!LONG && (index % ALGORITHMS.length !== turn || (index + turn) % SIZES.length !== step)) return [];
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
    test.each(some(combinations))('%s', async (options) => {
      const judges = { source: true, kernel: !rotatedTails(options) };
      await compare(newer!, 'compressible', options.split(' '), judges);
    });

    // mkfs adds an xattr to directories with whiteouts, so that the source cannot judge.
    test.each(
      some([
        '-zlz4hc -C65536 -Eall-fragments,dedupe --zD',
        '-zzstd -C16384 -m4096 -E48bit --zD',
        '-zlz4hc -m4096 --xattr-prefix=user. --xattr-inode-digest',
        '-zlz4 -Efragments --xattr-prefix=trusted.overlay.',
      ]),
    )('of an awkward tree, %s', async (options) => {
      await compare(newer!, 'awkward', options.split(' '), { source: false, kernel: true });
    });
  },
);
