import { ADVISE, FULL_INDEX_ADVISE } from '../../erofs/format/compression';
import { INCOMPAT } from '../../erofs/format/feature';
import { prose } from './compressible-tree';
import {
  BLOCK,
  craftImage,
  deflated,
  fullIndex,
  inBlocks,
  lz4Run,
  type CraftedHead,
  type CraftedImage,
} from './crafted-compression';
import { ALGORITHMS, BIG, MIB, expectContent, expectContentAsLinux, indexed } from './crafted-file';

describe('a full index', () => {
  const text = prose(10_000, 1);
  const letters = Buffer.alloc(9000, 'q');
  const content = Buffer.concat([text, letters, text.subarray(0, 500)]);
  const first = deflated(text);
  const second = lz4Run(0x71, letters.length);
  const heads = (block: number): CraftedHead[] => [
    { type: 'HEAD2', start: 0, block, blocks: first.length / BLOCK },
    { type: 'HEAD1', start: text.length, block: block + first.length / BLOCK, blocks: 1 },
    { type: 'PLAIN', start: text.length + letters.length, block: block + first.length / BLOCK + 1 },
  ];

  test('may have heads of two algorithms', async () => {
    const data = Buffer.concat([first, second, inBlocks(text.subarray(0, 500), 'behind')]);
    await expectContentAsLinux(indexed(content, data, heads), content);
  });

  test('may have plain blocks that are rotated', async () => {
    const turned = Buffer.alloc(BLOCK);
    text.copy(turned, (text.length + letters.length) % BLOCK, 0, 500);
    const data = Buffer.concat([first, second, turned]);
    await expectContentAsLinux(indexed(content, data, heads, BIG | ADVISE.INTERLACED_PCLUSTER), content);
  });

  test('finds a head that is further back than a distance can say', async () => {
    const zeros = Buffer.alloc(12 * MIB - BLOCK);
    const whole = Buffer.concat([text, zeros, text.subarray(0, 100)]);
    const pcluster = deflated(zeros);
    const data = Buffer.concat([first, pcluster, inBlocks(text.subarray(0, 100), 'behind')]);
    const between = first.length / BLOCK;
    const far = (block: number): CraftedHead[] => [
      { type: 'HEAD2', start: 0, block, blocks: between },
      { type: 'HEAD2', start: text.length, block: block + between, blocks: pcluster.length / BLOCK },
      { type: 'PLAIN', start: text.length + zeros.length, block: block + between + pcluster.length / BLOCK },
    ];
    await expectContentAsLinux(indexed(whole, data, far), whole);
  });

  test('may use a part of a pcluster', async () => {
    const whole = Buffer.concat([text.subarray(0, 9000), text.subarray(0, 5000)]);
    const partly = (block: number): CraftedHead[] => [
      { type: 'HEAD2', start: 0, block, blocks: first.length / BLOCK, advise: FULL_INDEX_ADVISE.PARTIAL_REF },
      {
        type: 'HEAD2',
        start: 9000,
        block,
        blocks: first.length / BLOCK,
        advise: FULL_INDEX_ADVISE.PARTIAL_REF,
      },
    ];
    await expectContentAsLinux(indexed(whole, first, partly, BIG, { incompat: INCOMPAT.FRAGMENTS }), whole);
  });

  test('may have holes, as of Linux 7.2', async () => {
    const whole = Buffer.concat([text, Buffer.alloc(50_000), text.subarray(0, 500)]);
    const data = Buffer.concat([first, inBlocks(text.subarray(0, 500), 'behind')]);
    for (const hole of [{ advise: FULL_INDEX_ADVISE.HOLE }, { blocks: 0 }]) {
      const withHole = (block: number): CraftedHead[] => [
        { type: 'HEAD2', start: 0, block, blocks: first.length / BLOCK },
        { type: 'HEAD2', start: text.length, block: 0, ...hole },
        { type: 'PLAIN', start: text.length + 50_000, block: block + first.length / BLOCK },
      ];
      await expectContent(craftImage(indexed(whole, data, withHole)), whole);
    }
  });

  test('may have a hole that takes many steps to cross', async () => {
    // 10,000 lclusters that each know only the next: the hole comes out in pieces.
    const size = 10_000 * BLOCK;
    const table = fullIndex(size, [{ type: 'HEAD1', start: 0, block: 0, advise: FULL_INDEX_ADVISE.HOLE }]);
    for (let number = 1; number < 10_000; number++) table.writeUInt16LE(1, 8 + number * 8 + 6);
    const file = { size, header: { advise: BIG, algorithms: ALGORITHMS }, table };
    await expectContent(craftImage({ data: Buffer.alloc(0), file: () => file }), Buffer.alloc(size));
  });

  test('may end in the packed file', async () => {
    const packed = prose(60_000, 9);
    const whole = Buffer.concat([text, packed.subarray(1234, 31_234)]);
    const crafted: CraftedImage = {
      data: first,
      packed,
      file: (block) => ({
        size: whole.length,
        header: { advise: BIG | ADVISE.FRAGMENT_PCLUSTER, algorithms: ALGORITHMS, fragmentOffsetLow: 1234 },
        table: fullIndex(whole.length, [
          { type: 'HEAD2', start: 0, block, blocks: first.length / BLOCK },
          { type: 'HEAD1', start: text.length, block: 0 },
        ]),
      }),
    };
    await expectContentAsLinux(crafted, whole);
  });
});
