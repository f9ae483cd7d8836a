import {
  ADVISE,
  ALGORITHM,
  EXTENT_PHYSICAL,
  MAP_HEADER_ALIGNMENT,
  extentRecord,
} from '../../erofs/format/compression';
import { INCOMPAT } from '../../erofs/format/feature';
import { Pseudorandom, prose } from './compressible-tree';
import { BLOCK, craftImage, deflated, inBlocks, type CraftedImage } from './crafted-compression';
import { MIB, expectContentAsLinux, openFile } from './crafted-file';

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

  test('whose pcluster lies beyond all that can be addressed are refused', async () => {
    const record = Buffer.alloc(extentRecord.size);
    const { physicalLength, physicalStartHigh } = extentRecord.fields;
    physicalLength.write(record, 0, BLOCK);
    physicalStartHigh.write(record, 0, 0xffff_ffff);
    const bytes = craftImage({
      data: Buffer.alloc(0),
      incompat: INCOMPAT['48BIT'],
      file: () => ({
        size: 100,
        header: { advise: ADVISE.EXTENTS | (2 << ADVISE.EXTENT_SIZE_SHIFT), extentsLow: 1 },
        // The table starts on a multiple of its records' size.
        table: Buffer.concat([Buffer.alloc(8), record.subarray(0, 16)]),
      }),
    });
    const { image, inode } = await openFile(bytes);
    await expect(image.read(inode, 0, 10)).rejects.toMatchObject({ code: 'EUCLEAN', field: 'extent' });
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
