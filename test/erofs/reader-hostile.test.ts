import fc from 'fast-check';
import { SUPERBLOCK_OFFSET, superblockRecord } from '../../erofs/format/superblock';
import { devicesOf, sample, sampleNames, seal } from './damaged-image';
import { Interrogation } from './interrogation';
import { LONG } from '../../linux/testing/long-trials';

/** Trials of a property: many more in the long test run. */
const runs = (count: number): number => (LONG ? count * 15 : count);

describe('a damaged image', () => {
  test.each(sampleNames)('%s, cut short anywhere, gives right answers or typed errors', async (name) => {
    const whole = sample(name);
    const truth = await new Interrogation(devicesOf[name]).interrogate(whole, false);
    expect([...truth.answers.values()]).not.toContain('refused');
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), fc.boolean(), async (length, cached) => {
        const cut = Buffer.from(whole.subarray(0, length));
        if (length >= SUPERBLOCK_OFFSET + superblockRecord.size) {
          // Let it claim no blocks, else the superblock's own check is all that is tested.
          superblockRecord.fields.blocksLow.write(cut, SUPERBLOCK_OFFSET, 0);
          seal(cut);
        }
        const { answers } = await new Interrogation(devicesOf[name]).interrogate(cut, cached);
        for (const [question, answer] of answers) {
          if (answer !== 'refused') expect(answer).toBe(truth.answers.get(question));
        }
      }),
      { numRuns: runs(25) },
    );
  });

  test.each(sampleNames)('%s, bits flipped, gives nothing but answers and typed errors', async (name) => {
    const whole = sample(name);
    await fc.assert(
      fc.asyncProperty(metadataFlips(whole), fc.boolean(), async (flips, cached) => {
        const bent = Buffer.from(whole);
        for (const [at, mask] of flips) bent[at]! ^= mask;
        await new Interrogation(devicesOf[name]).interrogate(seal(bent), cached);
      }),
      { numRuns: runs(60) },
    );
  });

  test('random bytes behind a sound superblock give typed errors', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 3000, maxLength: 20_000 }), async (noise) => {
        const whole = sample('plain-fp.erofs').subarray(0, 20_480);
        Buffer.from(noise).copy(whole, 1200);
        superblockRecord.fields.blocksLow.write(whole, SUPERBLOCK_OFFSET, 0);
        await new Interrogation().interrogate(seal(whole), false);
      }),
      { numRuns: runs(60) },
    );
  });
});

/** Flips of a few bits where the metadata of a sample is: superblock, inodes, xattrs, directories. */
function metadataFlips(image: Buffer): fc.Arbitrary<[number, number][]> {
  const interesting: number[] = [];
  for (let start = 0; start < image.length; start += 64) {
    const piece = image.subarray(start, start + 64);
    // Text and random content of the samples have no zero bytes to speak of; metadata is full of them.
    const zeros = piece.filter((byte) => byte === 0).length;
    if (zeros > 12 && zeros < 64) interesting.push(start);
  }
  const place = fc.tuple(fc.constantFrom(...interesting), fc.nat(63)).map(([start, step]) => start + step);
  const inSuperblock = fc.integer({ min: SUPERBLOCK_OFFSET, max: SUPERBLOCK_OFFSET + 127 });
  return fc.array(
    fc.tuple(fc.oneof({ weight: 5, arbitrary: place }, inSuperblock), fc.integer({ min: 1, max: 255 })),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
}
