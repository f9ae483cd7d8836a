import { COMPAT } from '../../erofs/format/feature';
import { direntRecord } from '../../erofs/format/dirent';
import { compactInodeRecord, extendedInodeRecord } from '../../erofs/format/inode';
import { SUPERBLOCK_OFFSET, superblockRecord } from '../../erofs/format/superblock';
import { xattrBodyRecord } from '../../erofs/format/xattr';
import type { ErofsImage, Inode } from '../../erofs/image';
import { inodeEnd } from '../../erofs/inode';
import { openBytes, sample, seal } from './damaged-image';

describe('a crafted image', () => {
  /** Opens `plain-fp.erofs` with one file or directory bent by `bend`. */
  async function bent(
    path: string,
    bend: (bytes: Buffer, inode: Inode, position: number) => void,
  ): Promise<{ image: ErofsImage; inode: () => Promise<Inode> }> {
    const bytes = sample('plain-fp.erofs');
    await using sound = await openBytes(bytes, false);
    let inode = await sound.inode(sound.rootNid);
    for (const part of path.split('/').filter((text) => text !== '')) {
      inode = await sound.inode((await sound.lookup(inode, Buffer.from(part)))!.nid);
    }
    bend(bytes, inode, sound.superblock.metaOffset + inode.nid * 32);
    const image = await openBytes(seal(bytes), false);
    return { image, inode: () => image.inode(inode.nid) };
  }
  const compact = compactInodeRecord.fields;
  const extended = extendedInodeRecord.fields;

  test.each([
    [
      'unknown format bits',
      (bytes: Buffer, at: number) => bytes.writeUInt16LE(0x21, at),
      'EOPNOTSUPP',
      'inode.format',
    ],
    ['layout 5', (bytes: Buffer, at: number) => bytes.writeUInt16LE(0x0b, at), 'EOPNOTSUPP', 'inode.format'],
    [
      'a mode without type',
      (bytes: Buffer, at: number) => compact.mode.write(bytes, at, 0o644),
      'EUCLEAN',
      'inode.mode',
    ],
  ])('with %s is refused', async (_title, bend, code, field) => {
    const { inode, image } = await bent('a.txt', (bytes, _inode, position) => bend(bytes, position));
    await expect(inode()).rejects.toMatchObject({ code, field, image: 'hostile' });
    const nid = (await image.lookup(await image.inode(image.rootNid), Buffer.from('a.txt')))?.nid;
    await expect(inode()).rejects.toMatchObject({ nid });
  });

  test('with a compressed file where nothing is compressed is refused', async () => {
    const { image, inode } = await bent('a.txt', (bytes, _inode, at) => {
      compact.format.write(bytes, at, (bytes.readUInt16LE(at) & ~0xe) | (3 << 1));
    });
    await expect(image.read(await inode(), 0, 10)).rejects.toMatchObject({
      code: 'EUCLEAN',
      field: 'inode.format',
      message: /without compression/,
    });
  });

  test('whose inode points behind the end is refused when it is read', async () => {
    const { image, inode } = await bent('a.txt', (bytes, _inode, at) =>
      compact.startBlockLow.write(bytes, at, 0xfffffff0),
    );
    await expect(image.read(await inode(), 0, 10)).rejects.toMatchObject({
      code: 'EUCLEAN',
      field: 'inode.startBlock',
    });
  });

  test('whose inline tail would cross a block is refused', async () => {
    const { image, inode } = await bent('small', (bytes, _inode, at) => compact.size.write(bytes, at, 4096));
    await expect(image.read(await inode(), 0, 10)).rejects.toMatchObject({
      code: 'EUCLEAN',
      field: 'inode.size',
    });
  });

  test('with a directory cycle does not send files() round for ever', async () => {
    const { image } = await bent('', (bytes, root) => {
      const block = inodeEnd(root);
      const site = { image: 'test', origin: 0 };
      const names = direntRecord.fields.nameOffset.read(bytes, block, site);
      for (let at: number = block; at < block + names; at += direntRecord.size) {
        if (direntRecord.fields.fileType.read(bytes, at, site) === 2)
          direntRecord.fields.nid.write(bytes, at, root.nid);
      }
    });
    const walk = async (): Promise<void> => {
      for await (const _file of image.files()) continue;
    };
    await expect(walk()).rejects.toMatchObject({ code: 'EUCLEAN', field: 'dirent.nid' });
  });

  test.each([
    ['0', 0],
    ['no multiple of an entry', 13],
    ['more than the block', 4092],
  ])('whose first name offset is %s is refused', async (_title, offset) => {
    const { image, inode } = await bent('dir', (bytes, directory) => {
      direntRecord.fields.nameOffset.write(bytes, inodeEnd(directory), offset);
    });
    const wrong = { code: 'EUCLEAN', field: 'dirent.nameOffset', inData: true };
    await expect(image.entriesFrom(await inode(), 0, 10)).rejects.toMatchObject(wrong);
    await expect(image.lookup(await inode(), Buffer.from('x'))).rejects.toMatchObject(wrong);
  });

  test('with a slash in a name is refused', async () => {
    const { image, inode } = await bent('dir', (bytes, directory) => {
      const start = inodeEnd(directory);
      bytes.write('/', start + bytes.readUInt16LE(start + 2 * direntRecord.size + 8) + 3);
    });
    await expect(image.entriesFrom(await inode(), 0, 10)).rejects.toMatchObject({
      code: 'EUCLEAN',
      field: 'dirent name',
    });
  });

  test.each([
    ['without entries', 1, 'EOPNOTSUPP', 'inode.xattrCount'],
    ['with more than the image has', 65535, 'EUCLEAN', undefined],
  ])('with an xattr body %s is refused', async (_title, count, code, field) => {
    const { image, inode } = await bent('small', (bytes, _inode, at) =>
      compact.xattrCount.write(bytes, at, count),
    );
    await expect(image.xattrs(await inode())).rejects.toMatchObject({ code, ...(field && { field }) });
  });

  test('with more shared ids than the xattr body holds is refused', async () => {
    const { image, inode } = await bent('small', (bytes, small) => {
      xattrBodyRecord.fields.sharedCount.write(bytes, small.xattrOffset, 255);
    });
    await expect(image.xattrs(await inode())).rejects.toMatchObject({
      code: 'EUCLEAN',
      field: 'xattr body.sharedCount',
    });
  });

  test('whose symlink is empty, too long, or has a NUL is refused', async () => {
    for (const size of [0, 4096, 6]) {
      const { image, inode } = await bent('link', (bytes, _inode, at) => compact.size.write(bytes, at, size));
      await expect(image.readlink(await inode())).rejects.toMatchObject({
        code: 'EUCLEAN',
        field: 'symlink target',
      });
    }
  });

  test('with a size that no number holds is refused', async () => {
    const bytes = sample('force-extended.erofs');
    await using sound = await openBytes(bytes, false);
    const at = sound.superblock.metaOffset + sound.rootNid * 32;
    bytes.writeBigUInt64LE(2n ** 63n, at + extended.size.offset);
    await expect(openBytes(seal(bytes), false)).rejects.toMatchObject({
      code: 'EUCLEAN',
      field: 'extended inode.size',
    });
  });

  test('whose root is no directory is refused', async () => {
    const bytes = sample('plain.erofs');
    await using sound = await openBytes(bytes, false);
    const file = await sound.lookup(await sound.inode(sound.rootNid), Buffer.from('small'));
    superblockRecord.fields.rootNid2b.write(bytes, SUPERBLOCK_OFFSET, file!.nid);
    await expect(openBytes(seal(bytes), false)).rejects.toMatchObject({
      code: 'EUCLEAN',
      field: 'superblock.rootNid',
    });
  });

  test('that names a fingerprint prefix which its entries do not have is refused on use only', async () => {
    const bytes = sample('plain-fp.erofs');
    superblockRecord.fields.xattrPrefixStart.write(bytes, SUPERBLOCK_OFFSET, 0xffff_ffff);
    await using image = await openBytes(seal(bytes), false);
    const root = await image.inode(image.rootNid);
    const found = await image.lookup(root, Buffer.from('a.txt'));
    const inode = await image.inode(found!.nid);
    expect(await image.fingerprint(inode)).toHaveLength(39);
    await expect(image.xattrs(inode)).rejects.toMatchObject({ code: 'EUCLEAN' });
  });

  test('sealed by a wrong checksum is refused', async () => {
    const bytes = sample('plain.erofs');
    const compat = superblockRecord.fields.featureCompat.read(bytes, SUPERBLOCK_OFFSET, {
      image: 'test',
      origin: 0,
    });
    expect(compat & COMPAT.SB_CHKSUM).not.toBe(0);
    bytes[SUPERBLOCK_OFFSET + 200]! ^= 1;
    await expect(openBytes(bytes, false)).rejects.toMatchObject({ field: 'superblock.checksum' });
  });
});
