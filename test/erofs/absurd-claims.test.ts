import { METABOX_NID, type Nid } from '../../erofs/brands';
import { INODE_SLOT, extendedInodeRecord } from '../../erofs/format/inode';
import {
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  superblockExtensionRecord,
  superblockRecord,
} from '../../erofs/format/superblock';
import type { ErofsImage, Inode } from '../../erofs/image';
import { openBytes, sample, seal } from './damaged-image';

async function find(image: ErofsImage, name: string): Promise<Inode> {
  const found = await image.lookup(await image.inode(image.rootNid), Buffer.from(name));
  return await image.inode(found!.nid);
}

/** Opens a sample of extended inodes in which one entry of the root claims another size. */
async function withSize(name: string, size: number): Promise<{ image: ErofsImage; inode: Inode }> {
  const bytes = sample('force-extended.erofs');
  await using sound = await openBytes(bytes, false);
  const { nid } = await find(sound, name);
  extendedInodeRecord.fields.size.write(bytes, sound.superblock.metaOffset + nid * INODE_SLOT, size);
  const image = await openBytes(seal(bytes), false);
  return { image, inode: await image.inode(nid) };
}

describe('an absurd size', () => {
  const HUGE = 2 ** 52;

  test('of a file is refused by the reads that it misleads', async () => {
    const { image, inode } = await withSize('a.txt', HUGE);
    await using _image = image;
    for (const offset of [0, 2 ** 40, HUGE - 10]) {
      await expect(image.read(inode, offset, 1 << 20)).rejects.toMatchObject({
        code: 'EUCLEAN',
        nid: inode.nid,
        image: 'hostile',
      });
    }
  });

  test('of a directory neither keeps a walk busy nor a lookup', async () => {
    const { image, inode } = await withSize('dir', HUGE);
    await using _image = image;
    await expect(image.lookup(inode, Buffer.from('zzz'))).rejects.toMatchObject({ code: 'EUCLEAN' });
    await expect(image.entriesFrom(inode, 0, Infinity)).rejects.toMatchObject({ nid: inode.nid });
    const walk = async (): Promise<void> => {
      for await (const _inode of image.files()) continue;
    };
    await expect(walk()).rejects.toMatchObject({ code: 'EUCLEAN' });
  });

  test('of a symlink is refused before it is read', async () => {
    const { image, inode } = await withSize('link', HUGE);
    await using _image = image;
    await expect(image.readlink(inode)).rejects.toMatchObject({ code: 'EUCLEAN', field: 'symlink target' });
  });
});

describe('files of the image itself that need themselves', () => {
  test('a packed file that lies in the metabox file is refused where a fragment is wanted', async () => {
    const bytes = sample('all-fragments.erofs');
    superblockRecord.fields.packedNid.write(bytes, SUPERBLOCK_OFFSET, (METABOX_NID + 1) as Nid);
    await using image = await openBytes(seal(bytes), false);
    const inode = await find(image, 'small');
    await expect(image.read(inode, 0, 10)).rejects.toMatchObject({
      code: 'EUCLEAN',
      field: 'superblock.packedNid',
      nid: inode.nid,
    });
  });

  test('a metabox file that lies in itself is refused at once', async () => {
    const bytes = sample('metacompr.erofs');
    const { metaboxNid } = superblockExtensionRecord.fields;
    metaboxNid.write(bytes, SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE, METABOX_NID as Nid);
    await expect(openBytes(seal(bytes), false)).rejects.toMatchObject({
      code: 'EUCLEAN',
      field: metaboxNid.name,
    });
  });

  test('a metabox file that is no file is refused at once', async () => {
    const bytes = sample('metacompr.erofs');
    const plain = await openBytes(bytes, false);
    await using _plain = plain;
    const { mode } = extendedInodeRecord.fields;
    const at = plain.superblock.metaOffset + plain.superblock.metaboxNid! * INODE_SLOT;
    mode.write(bytes, at, 0o040755);
    await expect(openBytes(seal(bytes), false)).rejects.toMatchObject({ code: 'EUCLEAN' });
  });
});
