import { readFileSync, writeFileSync } from 'node:fs';
import {
  ADVISE,
  ALGORITHM,
  EXTENT_PHYSICAL,
  FULL_INDEX_ADVISE,
  MAP_HEADER_ALIGNMENT,
  WHOLE_FRAGMENT,
  extentRecord,
  mapHeaderRecord,
} from '../../erofs/format/compression';
import { INCOMPAT } from '../../erofs/format/feature';
import { ErofsImage, type Inode } from '../../erofs/image';
import { MemorySource } from '../../erofs/memory-source';
import { Pseudorandom, prose } from './compressible-tree';
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
import { KernelMount } from './kernel-mount';
import { TemporaryDirectory } from './temporary-directory';

const MIB = 1024 * 1024;
/** HEAD1: LZ4, HEAD2: DEFLATE. */
const ALGORITHMS = ALGORITHM.LZ4 | (ALGORITHM.DEFLATE << 4);
const BIG = ADVISE.BIG_PCLUSTER_1 | ADVISE.BIG_PCLUSTER_2;

async function openFile(bytes: Buffer): Promise<{ image: ErofsImage; inode: Inode }> {
  const memory = new MemorySource(bytes, 'crafted');
  const image = await ErofsImage.fromSources(memory, memory);
  const found = await image.lookup(await image.inode(image.rootNid), Buffer.from('file'));
  return { image, inode: await image.inode(found!.nid) };
}

/** What our reader says of the file, in one read and in many. */
async function expectContent(bytes: Buffer, content: Buffer): Promise<void> {
  const { image, inode } = await openFile(bytes);
  await using _image = image;
  expect((await image.read(inode, 0, inode.size)).equals(content)).toBe(true);
  const random = new Pseudorandom(content.length);
  for (let trial = 0; trial < 60; trial++) {
    const start = random.below(content.length);
    const length = 1 + random.below(trial % 2 === 0 ? 5000 : 300_000);
    const part = await image.read(inode, start, length);
    expect({ start, length, same: part.equals(content.subarray(start, start + length)) }).toMatchObject({
      same: true,
    });
  }
}

function kernelContent(bytes: Buffer): Buffer {
  using directory = new TemporaryDirectory();
  writeFileSync(directory.join('image'), bytes);
  using mounted = new KernelMount(directory.join('image'), directory.join('mounted'));
  return readFileSync(`${mounted.path}/file`);
}

async function expectContentAsLinux(crafted: CraftedImage, content: Buffer): Promise<void> {
  const bytes = craftImage(crafted);
  await expectContent(bytes, content);
  expect(kernelContent(bytes).equals(content)).toBe(true);
}

/** A file with a full index over `content`; `heads` say where in `data` their pclusters are. */
function indexed(
  content: Buffer,
  data: Buffer,
  heads: (block: number) => CraftedHead[],
  advise = BIG,
  more: Partial<CraftedImage> = {},
): CraftedImage {
  return {
    data,
    file: (block) => ({
      size: content.length,
      header: { advise, algorithms: ALGORITHMS },
      table: fullIndex(content.length, heads(block)),
    }),
    ...more,
  };
}

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

describe('encoded extents', () => {
  /** Extents as records of one size; `at` counts from the first block of the data. */
  interface Written {
    readonly start: number;
    readonly at: number;
    readonly bytes: number;
    readonly format: number;
    readonly partial?: boolean;
  }

  function extents(
    recordSize: number,
    size: number,
    clusterBits: number,
    data: Buffer,
    written: readonly Written[],
    advise = 0,
  ): CraftedImage {
    const sizeBits = Math.log2(recordSize / 4);
    return {
      data,
      incompat: INCOMPAT['48BIT'],
      file: (block) => {
        // The header ends on a multiple of 8 that is one of 32 as well, and 8 bytes more.
        const gap = recordSize > MAP_HEADER_ALIGNMENT ? recordSize - MAP_HEADER_ALIGNMENT : 0;
        const start = Buffer.alloc(gap + (recordSize === 4 ? 8 : 0));
        if (recordSize === 4) start.writeBigUInt64LE(BigInt(block * BLOCK + written[0]!.at), 0);
        const records = written.map((extent) => {
          const record = Buffer.alloc(32);
          extentRecord.write(record, 0, {
            physicalLength:
              (extent.bytes |
                (extent.format << EXTENT_PHYSICAL.FORMAT_SHIFT) |
                (extent.partial ? EXTENT_PHYSICAL.PARTIAL : 0)) >>>
              0,
            physicalStartLow: block * BLOCK + extent.at,
            logicalStartLow: extent.start,
          });
          return record.subarray(0, recordSize);
        });
        return {
          size,
          header: {
            advise: ADVISE.EXTENTS | (sizeBits << ADVISE.EXTENT_SIZE_SHIFT) | advise,
            ...(recordSize > 8 ? { extentsLow: written.length } : { clusterBits }),
          },
          table: Buffer.concat([start, ...records]),
        };
      },
    };
  }

  const DEFLATE = ALGORITHM.DEFLATE + 1;
  const one = prose(16_384, 21);
  const two = prose(16_384, 22);
  const three = prose(5000, 23);
  const streams = [one, two, three].map((content) => deflated(content));
  const [a, b, c] = streams.map((bytes) => bytes.length) as [number, number, number];
  const data = Buffer.concat(streams);
  const content = Buffer.concat([one, two, three]);
  const plain: Written[] = [
    { start: 0, at: 0, bytes: a, format: DEFLATE },
    { start: 16_384, at: a, bytes: b, format: DEFLATE },
    { start: 32_768, at: a + b, bytes: c, format: DEFLATE },
  ];

  test.each([4, 8, 16, 32])('in records of %d bytes', async (recordSize) => {
    await expectContentAsLinux(extents(recordSize, content.length, 2, data, plain), content);
  });

  test('may start anywhere in a block, be holes and be plain', async () => {
    const stream = Buffer.from(deflated(one)).subarray();
    const start = stream.findIndex((byte) => byte !== 0);
    const bytes = stream.subarray(start);
    const mixed = inBlocks(Buffer.concat([Buffer.alloc(77, 1), bytes, three]), 'behind');
    const whole = Buffer.concat([one, Buffer.alloc(100_000), three]);
    const written: Written[] = [
      { start: 0, at: 77, bytes: bytes.length, format: DEFLATE },
      { start: one.length, at: 0, bytes: 0, format: 0 },
      { start: one.length + 100_000, at: 77 + bytes.length, bytes: three.length, format: 0 },
    ];
    await expectContentAsLinux(extents(16, whole.length, 0, mixed, written), whole);
  });

  test('find their place in a long table of 4-byte records', async () => {
    // More records than lie between two remembered places.
    const blocks = 9001;
    const random = new Pseudorandom(5);
    const noise = Buffer.concat(Array.from({ length: 100 }, () => random.bytes(BLOCK)));
    const pieces = Array.from({ length: blocks }, (_, index) =>
      noise.subarray((index % 100) * BLOCK, ((index % 100) + 1) * BLOCK),
    );
    const whole = Buffer.concat(pieces);
    const written = pieces.map((piece, index) => ({
      start: 0,
      at: index * BLOCK,
      bytes: piece.length,
      format: 0,
    }));
    await expectContentAsLinux(extents(4, whole.length, 0, whole, written), whole);
  });

  test.each([
    ['that are not sorted', [plain[0]!, { ...plain[1]!, start: 60_000 }, plain[2]!], 35_000, /behind/],
    ['none of which holds the byte', [{ ...plain[0]!, start: 10 }, plain[1]!, plain[2]!], 0, /no extent/],
    ['too long to decode', [{ ...plain[0]!, format: 9 }, plain[1]!, plain[2]!], 0, /algorithm 8/],
    [
      'of an algorithm the image does not have',
      [{ ...plain[0]!, format: 4 }, plain[1]!, plain[2]!],
      0,
      /not among/,
    ],
    ['larger than a pcluster may be', [{ ...plain[0]!, bytes: MIB + 1 }, plain[1]!, plain[2]!], 0, /1048577/],
    ['plain and too short', [{ ...plain[0]!, format: 0 }, plain[1]!, plain[2]!], 0, /do not fit/],
    [
      'with less in the stream',
      [{ ...plain[0]!, at: a + b, bytes: c }, plain[1]!, plain[2]!],
      0,
      /holds only 5000/,
    ],
    [
      'with more in the stream',
      [plain[0]!, { ...plain[1]!, start: 16_000 }, plain[2]!],
      0,
      /more than is wanted/,
    ],
  ])('%s are refused', async (_title, written, offset, message) => {
    const { image, inode } = await openFile(craftImage(extents(16, content.length, 0, data, written)));
    await expect(image.read(inode, offset, 10)).rejects.toMatchObject({
      nid: inode.nid,
      image: 'crafted',
      message,
    });
  });

  test('with a table that the image cannot hold are refused', async () => {
    const crafted = extents(16, content.length, 0, data, plain);
    const bytes = craftImage({
      ...crafted,
      file: (block) => {
        const file = crafted.file(block);
        return { ...file, header: { ...file.header, extentsLow: 0xffff_ffff } };
      },
    });
    const { image, inode } = await openFile(bytes);
    await expect(image.read(inode, 0, 10)).rejects.toMatchObject({
      code: 'EUCLEAN',
      field: 'encoded extent',
    });
  });
});

describe('a file in the packed file as a whole', () => {
  const packed = prose(100_000, 31);
  const whole = (size: number, offset: number, more: Partial<CraftedImage> = {}): CraftedImage => ({
    data: Buffer.alloc(0),
    packed,
    file: () => ({
      size,
      header: { fragmentOffsetLow: offset, clusterBits: WHOLE_FRAGMENT },
      table: Buffer.alloc(0),
    }),
    ...more,
  });

  test('is read from there', async () => {
    await expectContentAsLinux(whole(40_000, 777), packed.subarray(777, 40_777));
  });

  test('is refused where it ends behind it', async () => {
    const { image, inode } = await openFile(craftImage(whole(40_000, 60_001)));
    expect(await image.read(inode, 0, 39_999)).toEqual(packed.subarray(60_001));
    await expect(image.read(inode, 39_000, 1000)).rejects.toMatchObject({ code: 'EUCLEAN', nid: inode.nid });
  });

  test('is refused where there is none', async () => {
    const { packed: _packed, ...without } = whole(40_000, 777);
    const { image, inode } = await openFile(craftImage(without));
    await expect(image.read(inode, 0, 10)).rejects.toMatchObject({
      field: 'superblock.packedNid',
      nid: inode.nid,
    });
  });

  test('is refused where it is the packed file itself, or a directory is', async () => {
    for (const [packedNid, message] of [
      [136, /has a fragment itself/],
      [128, /no regular file/],
    ] as const) {
      const { image, inode } = await openFile(craftImage(whole(40_000, 777, { packedNid })));
      await expect(image.read(inode, 0, 10)).rejects.toMatchObject({ code: 'EUCLEAN', message });
    }
  });

  test('with an offset that no number holds is refused', async () => {
    const bytes = craftImage(whole(40_000, 777));
    bytes.fill(0xff, 136 * 32 + 64, 136 * 32 + 64 + mapHeaderRecord.size);
    const { image, inode } = await openFile(bytes);
    await expect(image.read(inode, 0, 10)).rejects.toMatchObject({ field: 'map header.fragmentOffset' });
  });
});

describe('an index is refused', () => {
  const text = prose(20_000, 41);
  const stream = deflated(text);
  const head = (block: number): CraftedHead => ({
    type: 'HEAD2',
    start: 0,
    block,
    blocks: stream.length / BLOCK,
  });

  /** Reads one byte of a file of 5 lclusters, whose index `bend` has changed. */
  async function refusal(bend: (table: Buffer) => unknown, offset: number, advise = BIG): Promise<unknown> {
    const bytes = craftImage({
      data: Buffer.concat([stream, Buffer.alloc(stream.length)]),
      file: (block) => {
        const table = fullIndex(text.length, [head(block)]);
        bend(table);
        return { size: text.length, header: { advise, algorithms: ALGORITHMS }, table };
      },
    });
    const { image, inode } = await openFile(bytes);
    return image.read(inode, offset, 1).then(
      () => 'read',
      (error: unknown) => error,
    );
  }
  const record = (number: number): number => 8 + number * 8;

  test.each([
    [
      'whose way back leads nowhere',
      (table: Buffer) => table.writeUInt16LE(0, record(2) + 4),
      9000,
      /is 0 before it/,
    ],
    [
      'whose way back leads before the file',
      (table: Buffer) => table.writeUInt16LE(3, record(2) + 4),
      9000,
      /is 3 before it/,
    ],
    [
      'whose first lcluster has no head',
      (table: Buffer) => table.writeUInt16LE(2, record(0)),
      0,
      /before it/,
    ],
    [
      'whose first extent starts too late',
      (table: Buffer) => table.writeUInt16LE(5, record(0) + 2),
      0,
      /before it/,
    ],
    [
      'whose extents start outside their lcluster',
      (table: Buffer) => table.writeUInt16LE(4096, record(0) + 2),
      0,
      /4096 bytes into/,
    ],
    [
      'whose pcluster has no size',
      (table: Buffer) => table.writeUInt16LE(1, record(1) + 4),
      0,
      /says no size/,
    ],
    [
      'whose pcluster lies outside',
      (table: Buffer) => table.writeUInt32LE(0xffff_fff0, record(0) + 4),
      0,
      /outside/,
    ],
    [
      'whose pcluster is nothing but zeros',
      (table: Buffer) => table.writeUInt32LE(2 + stream.length / BLOCK, record(0) + 4),
      0,
      /nothing but zeros/,
    ],
    ['whose plain block is too short', (table: Buffer) => table.writeUInt16LE(0, record(0)), 0, /do not fit/],
  ])('%s', async (_title, bend, offset, message) => {
    expect(await refusal(bend, offset)).toMatchObject({
      code: 'EUCLEAN',
      image: 'crafted',
      nid: 136,
      message: message,
    });
  });

  test('whose pcluster is too large', async () => {
    const bend = (table: Buffer): unknown => table.writeUInt16LE(0x800 + 300, record(1) + 4);
    expect(await refusal(bend, 0)).toMatchObject({ code: 'EOPNOTSUPP', message: /1228800/ });
  });

  test('that counts blocks where none may be several', async () => {
    expect(await refusal(() => undefined, 5000, 0)).toMatchObject({
      message: /counts blocks/,
    });
  });

  test('that decodes to more than an extent may', async () => {
    const size = 13 * MIB;
    const bytes = craftImage({
      data: stream,
      file: (block) => ({
        size,
        header: { advise: BIG, algorithms: ALGORITHMS },
        table: fullIndex(size, [head(block)]),
      }),
    });
    const { image, inode } = await openFile(bytes);
    await expect(image.read(inode, size - 1, 1)).rejects.toMatchObject({
      code: 'EOPNOTSUPP',
      field: 'extent',
    });
  });

  test('that leads back and forth without end', async () => {
    // Each lcluster says that its head is the one before: a sound index never takes so many steps.
    const size = 8192 * BLOCK;
    const bytes = craftImage({
      data: stream,
      file: (block) => {
        const table = fullIndex(size, [head(block)]);
        for (let number = 2; number < 8192; number++) table.writeUInt16LE(1, record(number) + 4);
        return { size, header: { advise: BIG, algorithms: ALGORITHMS }, table };
      },
    });
    const { image, inode } = await openFile(bytes);
    await expect(image.read(inode, size - 1, 1)).rejects.toMatchObject({
      code: 'EUCLEAN',
      message: /steps back/,
    });
  });

  test('for a file that is larger than its index', async () => {
    const bytes = craftImage({
      data: stream,
      file: (block) => ({
        size: 2 ** 50,
        header: { advise: BIG, algorithms: ALGORITHMS },
        table: fullIndex(text.length, [head(block)]),
      }),
    });
    const { image, inode } = await openFile(bytes);
    await expect(image.read(inode, 2 ** 49, 10)).rejects.toMatchObject({
      code: 'EUCLEAN',
      field: 'full index',
    });
  });
});
