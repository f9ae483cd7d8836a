import { mkdirSync } from 'node:fs';
import { Pseudorandom } from './compressible-tree';
import { newerTool, systemMkfs, type ErofsTool } from '../../erofs/testing/erofs-utils';
import { compareWithEither } from './image-comparison';
import { randomRecipe } from './random-options';
import { makeRandomTree } from './random-tree';
import { TemporaryDirectory } from './temporary-directory';
import { LONG } from '../../linux/testing/long-trials';

/** Images of each tool. The seed is what a test's name says: `ISHARE_TEST_SEED=N ISHARE_TEST_IMAGES=1` repeats one. */
const IMAGES = Number(process.env['ISHARE_TEST_IMAGES'] ?? (LONG ? 300 : 6));
const FIRST_SEED = Number(process.env['ISHARE_TEST_SEED'] ?? 1);
let images = 0;
const seeds = Array.from({ length: IMAGES }, (_, index) => FIRST_SEED + index);

async function check(mkfs: ErofsTool, newer: boolean, seed: number): Promise<void> {
  const random = new Pseudorandom(seed * 7919);
  // The first numbers of neighbouring seeds are alike.
  for (let turn = 0; turn < 8; turn++) random.below(2);
  using directory = new TemporaryDirectory();
  const [image, source, blob] = [
    directory.join('image.erofs'),
    directory.join('source'),
    directory.join('blob'),
  ];
  mkdirSync(source);
  makeRandomTree(source, random);
  const { options, device } = randomRecipe(random, newer);
  const blobdev = device ? [`--blobdev=${blob}`] : [];
  if (!made(mkfs, [...options, ...blobdev, image, source])) return;
  try {
    await compareWithEither(directory, { image, source, devices: device ? [blob] : [] });
  } catch (error) {
    throw new Error(`seed ${seed}, mkfs.erofs ${options.join(' ')}`, { cause: error });
  }
}

/** Whether the tool could: it refuses some combinations, and crashes in others. */
function made(mkfs: ErofsTool, words: readonly string[]): boolean {
  try {
    mkfs.run('--quiet', ...words);
    images++;
    return true;
  } catch {
    return false;
  }
}

describe('images with random options of random trees show what the source and Linux show', () => {
  test.each(seeds)("of this machine's mkfs.erofs, seed %i", async (seed) => {
    await check(systemMkfs, false, seed);
  });

  const newer = newerTool('mkfs.erofs');
  (newer === undefined ? test.skip : test).each(seeds)('of the newer mkfs.erofs, seed %i', async (seed) => {
    await check(newer!, true, seed);
  });

  test('most of the options could be used together', () => {
    expect(images).toBeGreaterThanOrEqual(IMAGES * (newer === undefined ? 0.8 : 1.6));
  });
});
