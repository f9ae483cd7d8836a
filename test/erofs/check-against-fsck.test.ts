import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { checkImage } from '../../erofs/check/image-check';
import { ErofsError } from '../../erofs/errors';
import { SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE } from '../../erofs/format/superblock';
import { Pseudorandom } from './compressible-tree';
import { devicesOf, openBytes, sample, sampleNames, seal } from './damaged-image';
import { newerTool } from '../../erofs/testing/erofs-utils';
import { TemporaryDirectory } from './temporary-directory';
import { LONG } from '../../linux/testing/long-trials';

const fsck = newerTool('fsck.erofs');
const DAMAGED_IMAGES = LONG ? 6000 : 250;

/** Where the samples keep most of their metadata, from the start of the image (bytes). */
const METADATA_BYTES = 6000;

interface Damage {
  readonly name: string;
  readonly bytes: Buffer;
  /** For messages. */
  readonly changes: string;
}

/** A sample with up to three bytes changed, the same for each seed. */
function damageOf(seed: number): Damage {
  const random = new Pseudorandom(seed * 7919 + 1);
  const name = sampleNames[random.below(sampleNames.length)]!;
  const bytes = sample(name);
  const changes = Array.from({ length: 1 + random.below(3) }, () => {
    const at = placeOf(random, bytes);
    const before = bytes[at]!;
    const choices = [before ^ (1 << random.below(8)), random.below(256), 0, 255];
    bytes[at] = choices[random.below(choices.length)]!;
    return `byte ${at} from ${before} to ${bytes[at]}`;
  });
  // Most get past the checksum of the superblock.
  if (random.below(10) > 0) seal(bytes);
  return { name, bytes, changes: changes.join(', ') };
}

/** In the superblock, in what else is metadata, or anywhere; seldom on a zero. */
function placeOf(random: Pseudorandom, bytes: Buffer): number {
  const kind = random.below(100);
  if (kind < 15) return SUPERBLOCK_OFFSET + random.below(SUPERBLOCK_SIZE);
  const limit = kind < 70 ? Math.min(bytes.length, METADATA_BYTES) : bytes.length;
  for (;;) {
    const at = random.below(limit);
    if (bytes[at] !== 0 || random.below(20) === 0) return at;
  }
}

async function isFoundDamaged({ name, bytes }: Damage): Promise<boolean> {
  try {
    await using image = await openBytes(bytes, false, devicesOf[name]);
    const first = await checkImage(image).next();
    return first.done !== true;
  } catch (error) {
    if (!(error instanceof ErofsError)) throw error;
    return true;
  }
}

/** Some damage makes fsck.erofs itself crash or go round in circles: no verdict. */
const FSCK_TIME_LIMIT = 5000;

/** What erofs-utils 1.9 says against images that are right. */
const MISTAKEN = [
  // A pcluster of no blocks is a hole since Linux 7.2.
  'cannot found CBLKCNT',
];

/** Whether fsck.erofs of erofs-utils 1.9 says so. */
function isCalledCorrupt({ name, bytes }: Damage, file: string): boolean {
  writeFileSync(file, bytes);
  const devices = (devicesOf[name] ?? []).map(
    (device) => `--device=${resolve('test/fixtures/erofs', device)}`,
  );
  const { exitCode, stderr } = fsck!.end(FSCK_TIME_LIMIT, '--extract', '--xattrs', ...devices, file);
  return exitCode === 1 && !MISTAKEN.some((complaint) => stderr.includes(complaint));
}

(fsck === undefined ? test.skip : test)(
  'whatever fsck.erofs calls corrupt is found damaged',
  async () => {
    using scratch = new TemporaryDirectory();
    let corrupt = 0;
    for (let seed = 0; seed < DAMAGED_IMAGES; seed++) {
      const damage = damageOf(seed);
      if (!isCalledCorrupt(damage, scratch.join('damaged.erofs'))) continue;
      corrupt++;
      if (await isFoundDamaged(damage)) continue;
      throw new Error(`seed ${seed}: ${damage.name} with ${damage.changes} is corrupt, but was found clean`);
    }
    expect(corrupt).toBeGreaterThan(DAMAGED_IMAGES / 10);
  },
  600_000,
);
