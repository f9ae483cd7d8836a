import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { METABOX_NID, toNid, type Nid } from '../../erofs/brands';
import { COMPAT, INCOMPAT } from '../../erofs/format/feature';
import {
  SUPERBLOCK_OFFSET,
  superblockExtensionRecord,
  superblockRecord,
} from '../../erofs/format/superblock';
import { longPrefixRecord } from '../../erofs/format/xattr';
import { ErofsImage, type Inode } from '../../erofs/image';
import { inodeEnd } from '../../erofs/inode';
import { MemorySource } from '../../erofs/memory-source';
import { superblockChecksum } from '../../erofs/superblock';

/**
 * mkfs.erofs makes packed and metabox files only in compressed images. These tests turn ordinary files of the
 * samples into such files instead, field by field.
 */
const fixtures = resolve('test/fixtures/erofs');
const fields = superblockRecord.fields;
const site = { image: 'test', origin: 0 };

function open(bytes: Buffer): Promise<ErofsImage> {
  fields.checksum.write(bytes, SUPERBLOCK_OFFSET, superblockChecksum(bytes, 4096));
  const memory = new MemorySource(bytes, 'special');
  return ErofsImage.fromSources(memory, memory);
}

async function find(bytes: Buffer, name: string): Promise<Inode> {
  await using image = await open(bytes);
  const found = await image.lookup(await image.inode(image.rootNid), Buffer.from(name));
  return await image.inode(found!.nid);
}

describe('long xattr prefixes', () => {
  const name = Buffer.from('user.anchor.note');

  /** Writes the one prefix of the sample, `user.` and `anchor.`, as content of the inline file `small`. */
  async function movePrefixes(): Promise<{ bytes: Buffer; file: Nid }> {
    const bytes = readFileSync(join(fixtures, 'xattr-prefix.erofs'));
    const small = await find(bytes, 'small');
    const content = inodeEnd(small);
    longPrefixRecord.write(bytes, content, { length: 8, baseIndex: 1 });
    bytes.write('anchor.', content + longPrefixRecord.size);
    const compat = fields.featureCompat.read(bytes, SUPERBLOCK_OFFSET, site);
    fields.featureCompat.write(bytes, SUPERBLOCK_OFFSET, compat & ~COMPAT.PLAIN_XATTR_PFX);
    fields.xattrPrefixStart.write(bytes, SUPERBLOCK_OFFSET, 0);
    return { bytes, file: small.nid };
  }

  it('are read from the packed file', async () => {
    const { bytes, file } = await movePrefixes();
    fields.packedNid.write(bytes, SUPERBLOCK_OFFSET, file);
    await using image = await open(bytes);
    expect(await image.getXattr(await image.inode(file), name)).toEqual(Buffer.from('hi'));
  });

  it('are not looked for in the image itself where there is a packed file', async () => {
    const { bytes, file } = await movePrefixes();
    fields.packedNid.write(bytes, SUPERBLOCK_OFFSET, (await find(bytes, 'empty')).nid);
    await using image = await open(bytes);
    await expect(image.getXattr(await image.inode(file), name)).rejects.toMatchObject({ code: 'EUCLEAN' });
  });
});

describe('a metabox file', () => {
  /** Makes `rand.bin` the metabox file, with the root directory in its second slot of 32 bytes. */
  async function moveRoot(): Promise<Buffer> {
    const bytes = readFileSync(join(fixtures, 'metazone.erofs'));
    const box = await find(bytes, 'rand.bin');
    await using image = await open(bytes);
    const root = await image.inode(image.rootNid);
    const { metaOffset, blockSize } = image.superblock;
    const start = metaOffset + root.nid * 32;
    const boxStart = box.startBlock! * blockSize;
    bytes.copy(bytes, boxStart + 32, start, inodeEnd(root) + root.size);
    fields.featureIncompat.write(bytes, SUPERBLOCK_OFFSET, INCOMPAT.METABOX | INCOMPAT['48BIT']);
    fields.extensionSlots.write(bytes, SUPERBLOCK_OFFSET, 1);
    fields.rootNid8b.write(bytes, SUPERBLOCK_OFFSET, toNid(METABOX_NID + 1));
    fields.blocksHigh.write(bytes, SUPERBLOCK_OFFSET, 0);
    const extension = SUPERBLOCK_OFFSET + superblockRecord.size;
    superblockExtensionRecord.write(bytes, extension, { metaboxNid: box.nid });
    return bytes;
  }

  it('can hold the root directory', async () => {
    await using image = await open(await moveRoot());
    expect(image.rootNid).toBe(METABOX_NID + 1);
    const root = await image.inode(image.rootNid);
    const names = (await image.entriesFrom(root, 0, 100)).map(({ name }) => name.toString());
    expect(names).toEqual(['.', '..', 'a.txt', 'dir', 'empty', 'link', 'rand.bin', 'small']);
    const found = await image.lookup(root, Buffer.from('a.txt'));
    const file = await image.inode(found!.nid);
    expect(await image.read(file, 0, file.size)).toEqual(readFileSync(join(fixtures, 'src', 'a.txt')));
  });

  it('ends where its inode says', async () => {
    await using image = await open(await moveRoot());
    await expect(image.inode(toNid(METABOX_NID + 20_000 / 32))).rejects.toMatchObject({
      code: 'EUCLEAN',
      field: 'nid',
    });
  });

  it('is missed where inodes point into it and there is none', async () => {
    await using image = await open(readFileSync(join(fixtures, 'plain.erofs')));
    await expect(image.inode(toNid(METABOX_NID))).rejects.toMatchObject({ code: 'EUCLEAN' });
  });

  it('must be a regular file', async () => {
    const bytes = await moveRoot();
    const extension = SUPERBLOCK_OFFSET + superblockRecord.size;
    superblockExtensionRecord.write(bytes, extension, { metaboxNid: toNid(128) });
    await expect(open(bytes)).rejects.toMatchObject({ field: 'superblock extension.metaboxNid' });
  });
});
