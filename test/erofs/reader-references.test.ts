import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chunkIndexRecord } from '../../erofs/format/chunk';
import { deviceSlotRecord } from '../../erofs/format/device';
import { direntRecord } from '../../erofs/format/dirent';
import { COMPAT } from '../../erofs/format/feature';
import { INODE_SLOT, compactInodeRecord } from '../../erofs/format/inode';
import { SUPERBLOCK_OFFSET, superblockRecord } from '../../erofs/format/superblock';
import { xattrBodyRecord } from '../../erofs/format/xattr';
import type { ErofsImage, Inode } from '../../erofs/image';
import { inodeEnd } from '../../erofs/inode';
import { devicesOf, openBytes, sample, seal } from './damaged-image';

const site = { image: 'test', origin: 0 };

async function find(image: ErofsImage, name: string): Promise<Inode> {
  const found = await image.lookup(await image.inode(image.rootNid), Buffer.from(name));
  return await image.inode(found!.nid);
}

/** One inode of a sound sample. */
async function inodeOf(name: string, file: string): Promise<Inode> {
  await using image = await openBytes(sample(name), false);
  return await find(image, file);
}

/** The first record of a chunk table, which starts on a multiple of its size. */
function chunkTable(inode: Inode): number {
  return Math.ceil(inodeEnd(inode) / chunkIndexRecord.size) * chunkIndexRecord.size;
}

describe('a chunk index', () => {
  const { deviceId, startBlockLow } = chunkIndexRecord.fields;

  test('that names a device beyond the table is refused', async () => {
    const name = 'chunk-blobdev.erofs';
    const bytes = sample(name);
    const inode = await inodeOf(name, 'a.txt');
    // With two devices, two bits of an id count.
    superblockRecord.fields.extraDevices.write(bytes, SUPERBLOCK_OFFSET, 2);
    deviceId.write(bytes, chunkTable(inode), 3);
    await using image = await openBytes(seal(bytes), false);
    await expect(image.read(inode, 0, 10)).rejects.toMatchObject({
      code: 'EUCLEAN',
      nid: inode.nid,
      field: 'chunk index.deviceId',
    });
  });

  test('without a device finds the bytes where all devices are seen as one', async () => {
    const name = 'chunk-blobdev.erofs';
    const bytes = sample(name);
    const inode = await inodeOf(name, 'a.txt');
    const table = chunkTable(inode);
    const slot =
      superblockRecord.fields.deviceTableSlot.read(bytes, SUPERBLOCK_OFFSET, site) * deviceSlotRecord.size;
    const uniform = deviceSlotRecord.fields.uniformAddressLow.read(bytes, slot, site);
    expect(uniform).toBeGreaterThan(0);
    deviceId.write(bytes, table, 0);
    startBlockLow.write(bytes, table, uniform + startBlockLow.read(bytes, table, site));
    await using image = await openBytes(seal(bytes), false, devicesOf[name]);
    const source = readFileSync(join(resolve('test/fixtures/erofs/src'), 'a.txt'));
    expect((await image.read(inode, 0, 4096)).equals(source.subarray(0, 4096))).toBe(true);
  });
});

test('an entry whose name starts among the entries is refused', async () => {
  const bytes = sample('plain.erofs');
  await using sound = await openBytes(sample('plain.erofs'), false);
  const root = await sound.inode(sound.rootNid);
  // The root is small and lies behind its inode. A search in its eight entries begins with the fourth.
  direntRecord.fields.nameOffset.write(bytes, inodeEnd(root) + 3 * direntRecord.size, 5);
  await using image = await openBytes(seal(bytes), false);
  await expect(image.entriesFrom(root, 0, 10)).rejects.toMatchObject({ code: 'EUCLEAN', nid: root.nid });
  await expect(image.lookup(root, Buffer.from('small'))).rejects.toMatchObject({
    code: 'EUCLEAN',
    field: direntRecord.fields.nameOffset.name,
  });
});

test('shared xattrs in a metabox file that is not there are refused', async () => {
  const bytes = sample('plain.erofs');
  const { nid, xattrOffset } = await inodeOf('plain.erofs', 'small');
  const { featureCompat } = superblockRecord.fields;
  const compat = featureCompat.read(bytes, SUPERBLOCK_OFFSET, site);
  featureCompat.write(bytes, SUPERBLOCK_OFFSET, compat | COMPAT.SHARED_EA_IN_METABOX);
  // Nothing but the head of the body and one id.
  await using sound = await openBytes(sample('plain.erofs'), false);
  const position = sound.superblock.metaOffset + nid * INODE_SLOT;
  compactInodeRecord.fields.xattrCount.write(bytes, position, 2);
  xattrBodyRecord.fields.sharedCount.write(bytes, xattrOffset, 1);
  await using image = await openBytes(seal(bytes), false);
  await expect(image.xattrs(await image.inode(nid))).rejects.toMatchObject({
    code: 'EUCLEAN',
    nid,
    field: 'superblock.featureCompat',
  });
});
