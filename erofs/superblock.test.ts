import { toNid } from './brands';
import { ErofsCorruptError, ErofsUnsupportedError } from './errors';
import { COMPAT, INCOMPAT } from './format/feature';
import {
  SUPERBLOCK_MAGIC,
  SUPERBLOCK_OFFSET,
  superblockExtensionRecord,
  superblockRecord,
} from './format/superblock';
import { MemorySource } from './memory-source';
import { decodeSuperblock, readSuperblock, superblockChecksum, type Superblock } from './superblock';

const BLOCKS = 3;
type Values = Parameters<typeof superblockRecord.write>[2];

function image(values: Values, blockSize = 4096): Buffer {
  const bytes = Buffer.alloc(BLOCKS * blockSize);
  superblockRecord.write(bytes, SUPERBLOCK_OFFSET, {
    magic: SUPERBLOCK_MAGIC,
    blkszbits: Math.log2(blockSize),
    rootNid2b: 36,
    blocksLow: BLOCKS,
    ...values,
  });
  return bytes;
}

function decode(values: Values): Superblock {
  const bytes = image(values);
  return decodeSuperblock(bytes, bytes.length, 'test');
}

describe('decodeSuperblock', () => {
  it.each([512, 1024, 2048, 4096, 65536])('checks the checksum over a block of %i bytes', (blockSize) => {
    const bytes = image({ featureCompat: COMPAT.SB_CHKSUM }, blockSize);
    superblockRecord.fields.checksum.write(bytes, SUPERBLOCK_OFFSET, superblockChecksum(bytes, blockSize));
    expect(decodeSuperblock(bytes, bytes.length, 'test').blockSize).toBe(blockSize);
    const last = Math.max(SUPERBLOCK_OFFSET + blockSize - (blockSize > 1024 ? 1024 : 0), 0) - 1;
    bytes[last] = 1;
    expect(() => decodeSuperblock(bytes, bytes.length, 'test')).toThrow(
      expect.objectContaining({ field: 'superblock.checksum', code: 'EUCLEAN' }) as Error,
    );
  });

  it.each([
    [{ magic: 1 }, 'superblock.magic'],
    [{ blkszbits: 8 }, 'superblock.blkszbits'],
    [{ blkszbits: 17 }, 'superblock.blkszbits'],
    [{ blocksLow: BLOCKS + 1 }, 'superblock.blocksLow'],
    [{ extensionSlots: 255 }, 'superblock.extensionSlots'],
    [{ xattrPrefixCount: 129 }, 'superblock.xattrPrefixCount'],
    [{ featureIncompat: INCOMPAT.METABOX }, 'superblock.extensionSlots'],
    [{ featureCompat: COMPAT.ISHARE_XATTRS }, 'superblock.ishareXattrPrefixId'],
  ] as [Values, string][])('refuses %p as corrupt', (values, field) => {
    expect(() => decode(values)).toThrow(ErofsCorruptError);
    expect(() => decode(values)).toThrow(expect.objectContaining({ field, image: 'test' }) as Error);
  });

  it('refuses features that it does not know, and names them', () => {
    expect(() => decode({ featureIncompat: 0x200 | 0x8000 | INCOMPAT['48BIT'] })).toThrow(
      ErofsUnsupportedError,
    );
    expect(() => decode({ featureIncompat: 0x200 | 0x8000 })).toThrow(/unknown features: bit 9, bit 15/);
    expect(() => decode({ dirblkbits: 1 })).toThrow(ErofsUnsupportedError);
  });

  it('says that an image is truncated', () => {
    const bytes = image({});
    expect(() => decodeSuperblock(bytes, bytes.length - 1, 'test')).toThrow(/truncated/);
    expect(() => decodeSuperblock(bytes.subarray(0, 1100), 1100, 'test')).toThrow(ErofsCorruptError);
    expect(() => decodeSuperblock(Buffer.alloc(0), 0, 'test')).toThrow(ErofsCorruptError);
  });

  it('takes the wide root only where there is one', () => {
    const wide = { featureIncompat: INCOMPAT['48BIT'], rootNid8b: toNid(1_000_000) };
    expect(decode({ ...wide, rootNid2b: 0 }).rootNid).toBe(1_000_000);
    expect(decode({ ...wide, rootNid8b: toNid(0) }).rootNid).toBe(36);
    expect(decode({ ...wide, featureIncompat: 0 }).rootNid).toBe(36);
  });

  it('refuses a metabox file that lies in itself', () => {
    const bytes = image({ featureIncompat: INCOMPAT.METABOX, extensionSlots: 1 });
    superblockExtensionRecord.write(bytes, SUPERBLOCK_OFFSET + 128, { metaboxNid: toNid(2 ** 52 + 3) });
    expect(() => decodeSuperblock(bytes, bytes.length, 'test')).toThrow(ErofsCorruptError);
  });
});

describe('readSuperblock', () => {
  it.each([512, 4096, 8192, 65536])(
    'reads no more than it needs with blocks of %i bytes',
    async (blockSize) => {
      const bytes = image({ featureCompat: COMPAT.SB_CHKSUM }, blockSize);
      superblockRecord.fields.checksum.write(bytes, SUPERBLOCK_OFFSET, superblockChecksum(bytes, blockSize));
      const source = new MemorySource(bytes, 'test');
      const read = jest.spyOn(source, 'read');
      expect(await readSuperblock(source)).toEqual(decodeSuperblock(bytes, bytes.length, 'test'));
      const ends = read.mock.calls.map(([position, length]) => position + length);
      expect(Math.max(...ends)).toBe(Math.min(bytes.length, Math.max(4096, blockSize)));
    },
  );

  it.each([0, 1100, 4096])('refuses an image of %i bytes', async (length) => {
    const source = new MemorySource(image({}, 65536).subarray(0, length), 'test');
    await expect(readSuperblock(source)).rejects.toThrow(ErofsCorruptError);
  });
});
