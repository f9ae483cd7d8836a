import { WHOLE_FRAGMENT, mapHeaderRecord } from '../../erofs/format/compression';
import { prose } from './compressible-tree';
import { craftImage, type CraftedImage } from './crafted-compression';
import { expectContentAsLinux, openFile } from './crafted-file';

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
