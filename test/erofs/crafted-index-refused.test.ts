import { prose } from './compressible-tree';
import { BLOCK, craftImage, deflated, fullIndex, type CraftedHead } from './crafted-compression';
import { ALGORITHMS, BIG, MIB, openFile } from './crafted-file';

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

  test('that goes on step by step beyond what an extent may hold', async () => {
    const size = 13 * MIB;
    const table = fullIndex(size, [{ type: 'PLAIN', start: 0, block: 0 }]);
    for (let number = 1; number < size / BLOCK; number++) table.writeUInt16LE(1, record(number) + 6);
    const file = { size, header: { advise: 0, algorithms: ALGORITHMS }, table };
    const { image, inode } = await openFile(craftImage({ data: stream, file: () => file }));
    await expect(image.read(inode, 0, 1)).rejects.toMatchObject({
      code: 'EOPNOTSUPP',
      field: 'extent',
      message: /more than/,
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
