import { createHash } from 'node:crypto';
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { ErofsCorruptError, ErofsDigestError, ErofsUnsupportedError } from '../errors';
import { digestTableHeader } from '../format/digest-table';
import { DigestTable, type DigestTableFile } from './digest-table';
import { RecordedImage, sampleBytes, withFlip } from './testing/recorded-image';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Puts another table in the place of one, and tells its root. */
function replace({ path }: DigestTableFile, table: Buffer): DigestTableFile {
  writeFileSync(path, table);
  return { path, root: sha256(table) };
}

describe('a digest table', () => {
  test('holds the SHA-256 of every unit, and the length of the image', async () => {
    const bytes = sampleBytes(3 * 16_384 + 5);
    using image = await RecordedImage.of(bytes);
    const table = await DigestTable.read(image.digests, 'image');
    expect(table).toMatchObject({ unitSize: 16_384, imageLength: bytes.length });
    const units = [0, 1, 2, 3].map((unit) => bytes.subarray(unit * 16_384, (unit + 1) * 16_384));
    const actual = Buffer.from(units.map(sha256).join(''), 'hex');
    expect(table.wrongUnits(0, actual)).toEqual([]);
    expect(readFileSync(image.digests.path).subarray(digestTableHeader.size)).toEqual(actual);
    const other = Buffer.from(actual);
    other.fill(0, 64, 96);
    expect(table.wrongUnits(0, other)).toEqual([
      { offset: 32_768, expected: sha256(units[2]!), actual: '0'.repeat(64) },
    ]);
    expect(table.wrongUnits(32_768, other.subarray(64))).toEqual(table.wrongUnits(0, other));
  });

  test('of an empty file has no digest', async () => {
    using image = await RecordedImage.of(Buffer.alloc(0));
    const table = await DigestTable.read(image.digests, 'image');
    expect(table).toMatchObject({ imageLength: 0 });
    expect(readFileSync(image.digests.path)).toHaveLength(digestTableHeader.size);
  });

  test('is refused wherever a byte of it is changed, or it is longer or shorter', async () => {
    using image = await RecordedImage.of(sampleBytes(100_000));
    const table = readFileSync(image.digests.path);
    const changed = fc.oneof(
      fc
        .tuple(fc.nat(table.length - 1), fc.integer({ min: 1, max: 255 }))
        .map(([at, mask]) => withFlip(table, at, mask)),
      fc.nat(table.length - 1).map((length) => table.subarray(0, length)),
      fc.uint8Array({ minLength: 1, maxLength: 100 }).map((more) => Buffer.concat([table, more])),
    );
    await fc.assert(
      fc.asyncProperty(changed, async (bytes) => {
        writeFileSync(image.digests.path, bytes);
        const error: unknown = await DigestTable.read(image.digests, 'the image').catch(
          (reason: unknown) => reason,
        );
        expect(error).toBeInstanceOf(ErofsDigestError);
        expect(error).toMatchObject({
          code: 'EIO',
          image: 'the image',
          field: 'digest table',
          expected: image.digests.root,
          actual: sha256(bytes),
        });
        expect(String(error)).toContain(image.digests.path);
      }),
      { numRuns: 150 },
    );
  });

  test('is not read when it is larger than any', async () => {
    using image = await RecordedImage.of(sampleBytes(10));
    truncateSync(image.digests.path, 256 * 1024 * 1024 + 1);
    await expect(DigestTable.read(image.digests, 'image')).rejects.toThrow(ErofsDigestError);
    await expect(DigestTable.read(image.digests, 'image')).rejects.toThrow(/268435457 bytes/);
  });

  test('that is missing is an error of the file system', async () => {
    using image = await RecordedImage.of(sampleBytes(10));
    rmSync(image.digests.path);
    await expect(DigestTable.read(image.digests, 'image')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('a file with the right root that is no digest table', () => {
  const LENGTH = 100_000;

  test.each([
    ['another magic', { magic: Buffer.from('ishunitz') }, /digest table\.magic/],
    ['a unit that is no power of two', { unitSize: 12_288 }, /digest table\.unitSize: 12288/],
    ['a unit below 4 KiB', { unitSize: 2048 }, /digest table\.unitSize: 2048/],
    ['a unit above 256 KiB', { unitSize: 524_288 }, /digest table\.unitSize: 524288/],
    ['no unit', { unitSize: 0 }, /digest table\.unitSize: 0/],
    ['another count', { count: 8 }, /digest table\.count: 8/],
    ['another length', { imageLength: LENGTH * 2 }, /digest table\.count: 7, for an image of 200000 bytes/],
  ])('but has %s, is refused by that field', async (_what, fields, message) => {
    using image = await RecordedImage.of(sampleBytes(LENGTH));
    const table = readFileSync(image.digests.path);
    const site = { image: '', origin: 0 };
    const recorded = digestTableHeader.read(Buffer.from(table), 0, site);
    const { magic, version, unitSize, imageLength, count } = recorded;
    digestTableHeader.write(table, 0, { magic, version, unitSize, imageLength, count, ...fields });
    const digests = replace(image.digests, table);
    await expect(DigestTable.read(digests, 'image')).rejects.toThrow(ErofsCorruptError);
    await expect(DigestTable.read(digests, 'image')).rejects.toThrow(message);
  });

  test('is refused when it is of another version', async () => {
    using image = await RecordedImage.of(sampleBytes(LENGTH));
    const table = readFileSync(image.digests.path);
    digestTableHeader.fields.version.write(table, 0, 2);
    const digests = replace(image.digests, table);
    await expect(DigestTable.read(digests, 'image')).rejects.toThrow(ErofsUnsupportedError);
  });

  test.each([0, 31])('is refused when it has %s bytes', async (length) => {
    using image = await RecordedImage.of(sampleBytes(LENGTH));
    const digests = replace(image.digests, readFileSync(image.digests.path).subarray(0, length));
    await expect(DigestTable.read(digests, 'image')).rejects.toThrow(ErofsCorruptError);
  });
});
