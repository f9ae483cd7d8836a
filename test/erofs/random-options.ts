import type { Pseudorandom } from './compressible-tree';

/** How an image is to be made. */
export interface ImageRecipe {
  /** For mkfs.erofs; `--blobdev` is added where there is a device. */
  readonly options: readonly string[];
  /** The content goes to an extra device. */
  readonly device: boolean;
}

function oneOf<Choice>(random: Pseudorandom, choices: readonly Choice[]): Choice {
  return choices[random.below(choices.length)]!;
}

function some<Choice>(random: Pseudorandom, choices: readonly Choice[], percent: number): Choice[] {
  return choices.filter(() => random.below(100) < percent);
}

function algorithms(random: Pseudorandom, newer: boolean): string {
  const known = newer
    ? [
        'lz4',
        `lz4hc,${1 + random.below(12)}`,
        `lzma,level=${random.below(7)}`,
        `lzma,level=1,dictsize=${4096 << random.below(6)}`,
        `deflate,level=${1 + random.below(9)}`,
        `zstd,level=${1 + random.below(19)}`,
      ]
    : ['lz4', `lz4hc,${1 + random.below(12)}`];
  const count = newer && random.below(4) === 0 ? 2 + random.below(2) : 1;
  return Array.from({ length: count }, () => oneOf(random, known)).join(':');
}

/** Pcluster sizes that Linux takes: whole blocks, 256 at most. */
function pclusterSize(random: Pseudorandom, blockSize: number): number {
  return blockSize * oneOf(random, [1, 2, 3, 4, 7, 16, 25, 64, 128, 256]);
}

/** Extended options that go with compression. */
function compressedExtras(random: Pseudorandom, newer: boolean): string[] {
  if (!newer) return some(random, ['ztailpacking', 'legacy-compress', 'force-inode-extended'], 30);
  const extras = some(random, ['ztailpacking', 'dedupe', '48bit', 'force-inode-extended'], 30);
  const packing = oneOf(random, ['', '', 'fragments', 'all-fragments']);
  if (packing !== '') extras.push(packing);
  return extras;
}

/** Options of one image, any that the tool takes together. `newer`: erofs-utils 1.9, else 1.5. */
export function randomRecipe(random: Pseudorandom, newer: boolean): ImageRecipe {
  const options: string[] = [];
  const extended: string[] = [];
  const blockSize = newer ? oneOf(random, [512, 1024, 2048, 4096, 4096, 4096]) : 4096;
  if (blockSize !== 4096) options.push(`-b${blockSize}`);
  options.push(...some(random, [`-x${oneOf(random, [1, 2, 5])}`, '-T1700000000'], 20));
  if (newer) {
    options.push(...some(random, ['--xattr-prefix=user.', '--xattr-inode-digest'], 20));
    if (random.below(6) === 0) options.push('--MZ');
    if (random.below(6) === 0) extended.push('dot-omitted');
  }
  const kind = random.below(10);
  let device = false;
  if (kind < 7) {
    options.push(`-z${algorithms(random, newer)}`, `-C${pclusterSize(random, blockSize)}`);
    extended.push(...compressedExtras(random, newer));
    if (random.below(5) === 0) options.push(`--max-extent-bytes=${blockSize * (1 + random.below(64))}`);
    if (newer && extended.some((option) => option.includes('fragments'))) {
      if (random.below(3) === 0) options.push('--zD');
      if (random.below(4) === 0 && blockSize === 4096) options.push('-m4096');
    }
  } else if (kind < 9) {
    options.push(`--chunksize=${Math.max(4096, blockSize) << random.below(6)}`);
    device = random.below(2) === 0;
  } else {
    extended.push(...some(random, ['noinline_data', 'force-inode-compact', 'force-inode-extended'], 40));
  }
  if (extended.length > 0) options.push(`-E${extended.join()}`);
  return { options, device };
}
