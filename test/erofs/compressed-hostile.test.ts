import fc from 'fast-check';
import { isMetaboxNid } from '../../erofs/brands';
import { COMPAT, INCOMPAT } from '../../erofs/format/feature';
import { DATA_LAYOUT, INODE_SLOT } from '../../erofs/format/inode';
import { SUPERBLOCK_OFFSET, superblockRecord } from '../../erofs/format/superblock';
import type { Inode } from '../../erofs/image';
import { inodeEnd } from '../../erofs/inode';
import { openBytes, sample, sampleNames, seal } from './damaged-image';
import { Interrogation } from './interrogation';
import { assertWhole } from '../../linux/testing/whole-trials';
import { LONG } from '../../linux/testing/long-trials';

const BUDGET = LONG ? 60_000 : 1_500;
const TRIALS = LONG ? 100_000 : 400;

/** What the reader may hold at any time while it is lied to: decodes of 12 MiB, and what they came from. */
const MEMORY_LIMIT = 400 * 1024 * 1024;

const { featureIncompat, featureCompat } = superblockRecord.fields;
const site = { image: 'test', origin: 0 };

const compressed = sampleNames.filter((name) => {
  const features = featureIncompat.read(sample(name), SUPERBLOCK_OFFSET, site);
  return (features & (INCOMPAT.LZ4_0PADDING | INCOMPAT.COMPR_CFGS)) !== 0;
});

/** Where the compressed files of a sample are described: inode, map header, and the start of the table behind. */
async function mapsOf(name: string): Promise<[start: number, end: number][]> {
  await using image = await openBytes(sample(name), false);
  const { superblock } = image;
  const inodes: Inode[] = [];
  for await (const inode of image.files()) inodes.push(inode);
  for (const nid of [superblock.packedNid, superblock.metaboxNid]) {
    if (nid !== undefined) inodes.push(await image.inode(nid));
  }
  const regions: [number, number][] = [[SUPERBLOCK_OFFSET, SUPERBLOCK_OFFSET + superblock.size + 80]];
  for (const inode of inodes) {
    const isCompressed =
      inode.layout === DATA_LAYOUT.COMPRESSED_FULL || inode.layout === DATA_LAYOUT.COMPRESSED_COMPACT;
    if (!isCompressed || isMetaboxNid(inode.nid)) continue;
    const start = superblock.metaOffset + inode.nid * INODE_SLOT;
    const table = Math.min(1024, 8 * Math.ceil(inode.size / superblock.blockSize) + 16);
    regions.push([start, inodeEnd(inode) + 16 + table]);
  }
  return regions;
}

/** Bytes of buffers, which is where decoded data lies. */
function nativeMemory(): number {
  return process.memoryUsage().external;
}

describe('a damaged compressed image', () => {
  test.each(compressed)(
    '%s gives nothing but answers and typed errors, in bounded memory',
    async (name) => {
      const whole = sample(name);
      const regions = await mapsOf(name);
      const inMaps = fc
        .tuple(fc.constantFrom(...regions), fc.nat(2048))
        .map(([[start, end], step]) => start + (step % (end - start)));
      const place = fc.oneof({ weight: 6, arbitrary: inMaps }, fc.nat(whole.length - 1));
      // Extreme values find what single bits do not: largest counts, all ones, nothing.
      const value = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff));
      const damage = fc.array(fc.tuple(place, value), { minLength: 1, maxLength: 5 });
      // Growth, not size: tests that ran before in this process have left memory that is collected at some time.
      const before = nativeMemory();
      let most = 0;
      await assertWhole(
        fc.asyncProperty(damage, fc.boolean(), async (changes, cached) => {
          const bent = Buffer.from(whole);
          for (const [at, byte] of changes) if (at < bent.length) bent[at] = byte;
          await new Interrogation().interrogate(seal(bent), cached);
          most = Math.max(most, nativeMemory() - before);
        }),
        { numRuns: TRIALS, limitMs: BUDGET },
      );
      expect(most).toBeLessThan(MEMORY_LIMIT);
    },
    120_000,
  );

  test('whose pclusters are noise gives typed errors', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...compressed), fc.nat(255), async (name, key) => {
        const bytes = sample(name);
        // Behind the metadata of the small samples; what of it is hit is damage like any other.
        for (let at = 16_384; at < bytes.length; at++) bytes[at]! ^= (at * 7 + key) & 0xff;
        const compat = featureCompat.read(bytes, SUPERBLOCK_OFFSET, site);
        featureCompat.write(bytes, SUPERBLOCK_OFFSET, compat & ~COMPAT.SB_CHKSUM);
        await new Interrogation().interrogate(bytes, false);
      }),
      { numRuns: LONG ? 2000 : 40 },
    );
  });
});
