import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { ErofsCorruptError, ErofsDigestError } from '../errors';
import { RecordedImage, sampleBytes, withFlip } from './testing/recorded-image';
import { UnitHasher } from './unit-hasher';
import { VerifyingSource } from './verifying-source';

const unitSizes = fc.constantFrom(4096, 16_384, 65_536);

/** Lengths of images, and offsets in them: any, and those around the borders of units. */
const length = fc.oneof(
  fc.nat(300_000),
  fc.tuple(fc.nat(70), fc.constantFrom(-1, 0, 1)).map(([units, more]) => Math.max(0, units * 4096 + more)),
);

/** Ranges in an image of any length. */
const ranges = fc.array(fc.tuple(length, length), { minLength: 1, maxLength: 12 });

function inside(bytes: Buffer, [from, wanted]: readonly [number, number]): { start: number; end: number } {
  const start = Math.min(from, bytes.length);
  return { start, end: Math.min(bytes.length, start + wanted) };
}

let hasher: UnitHasher;
beforeAll(() => {
  hasher = new UnitHasher();
});
afterAll(() => hasher[Symbol.asyncDispose]());

function open(image: RecordedImage): Promise<VerifyingSource> {
  return VerifyingSource.open(image.path, { ...image.digests, hasher }, 'image');
}

describe('a verifying source', () => {
  test('gives any range of a sound image, also many at a time', async () => {
    await fc.assert(
      fc.asyncProperty(length, unitSizes, ranges, async (size, unitSize, wanted) => {
        const bytes = sampleBytes(size);
        using image = await RecordedImage.of(bytes, unitSize);
        await using source = await open(image);
        expect(source).toMatchObject({ size, label: 'image' });
        await Promise.all(
          wanted.map(async (range) => {
            const { start, end } = inside(bytes, range);
            const read = await source.read(start, end - start);
            expect(read.equals(bytes.subarray(start, end))).toBe(true);
          }),
        );
      }),
      { numRuns: 40 },
    );
  });

  test('fails exactly the reads that touch the unit in which a byte was changed, and names it', async () => {
    const place = fc.tuple(fc.integer({ min: 1, max: 300_000 }), fc.nat(), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(place, unitSizes, ranges, async ([size, anywhere, mask], unitSize, wanted) => {
        const bytes = sampleBytes(size);
        const at = anywhere % size;
        using image = await RecordedImage.of(bytes, unitSize);
        image.change(withFlip(bytes, at, mask));
        await using source = await open(image);
        const unit = at - (at % unitSize);
        const unitEnd = Math.min(size, unit + unitSize);
        // Those that end and begin at the unit's borders are always tried.
        const sides: [number, number][] = [
          [0, unit],
          [unitEnd, size],
          [unit, 1],
          [unitEnd - 1, 1],
          [0, size],
        ];
        for (const range of [...wanted, ...sides]) {
          const { start, end } = inside(bytes, range);
          const read = source.read(start, end - start);
          if (end > unit && start < unitEnd && end > start) {
            await expect(read).rejects.toThrow(ErofsDigestError);
            await expect(read).rejects.toMatchObject({ image: 'image', offset: unit, code: 'EIO' });
          } else {
            expect((await read).equals(bytes.subarray(start, end))).toBe(true);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  test('names the first of several wrong units, and both digests', async () => {
    const bytes = sampleBytes(200_000);
    using image = await RecordedImage.of(bytes, 4096);
    image.change(withFlip(withFlip(bytes, 150_000), 100_000));
    await using source = await open(image);
    const error: unknown = await source.read(0, 200_000).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ErofsCorruptError);
    expect(error).toMatchObject({
      offset: 98_304,
      expected: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
      actual: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
    });
    expect(String(error)).toMatch(/^ErofsDigestError: image, byte 98304, image: the 4096 bytes there have/);
  });

  test('refuses ranges outside of the image', async () => {
    using image = await RecordedImage.of(sampleBytes(100));
    await using source = await open(image);
    await expect(source.read(50, 51)).rejects.toThrow(ErofsCorruptError);
    await expect(source.read(101, 0)).rejects.toThrow(ErofsCorruptError);
    expect(await source.read(100, 0)).toHaveLength(0);
  });

  test('lets reads end before it closes', async () => {
    const bytes = sampleBytes(3_000_000);
    using image = await RecordedImage.of(bytes);
    const source = await VerifyingSource.open(image.path, image.digests);
    const reads = [0, 1, 2].map((start) => source.read(start, 2_900_000));
    await source[Symbol.asyncDispose]();
    const read = await Promise.all(reads);
    read.forEach((each, start) => expect(each.equals(bytes.subarray(start, start + 2_900_000))).toBe(true));
  });
});

describe('an image is refused', () => {
  const bytes = sampleBytes(100_000);

  test.each([0, 65_536, 99_999, 100_001, 131_072])('when it has got %s bytes', async (size) => {
    using image = await RecordedImage.of(bytes);
    truncateSync(image.path, size);
    await expect(open(image)).rejects.toThrow(ErofsDigestError);
    await expect(open(image)).rejects.toThrow(`image: has ${size} bytes, 100000 were recorded`);
  });

  test('when its table was made again for what was changed in it, because the root is that of the old one', async () => {
    using image = await RecordedImage.of(bytes);
    using forged = await RecordedImage.of(withFlip(bytes, 5000));
    image.change(withFlip(bytes, 5000));
    writeFileSync(image.digests.path, readFileSync(forged.digests.path));
    await expect(open(image)).rejects.toMatchObject({
      name: 'ErofsDigestError',
      field: 'digest table',
      expected: image.digests.root,
      actual: forged.digests.root,
    });
  });

  test('by the first wrong unit, when table and root are those of another image', async () => {
    using image = await RecordedImage.of(bytes);
    using other = await RecordedImage.of(withFlip(bytes, 5000));
    await using source = await VerifyingSource.open(image.path, { ...other.digests, hasher });
    await expect(source.read(0, 10)).rejects.toThrow(ErofsDigestError);
    expect((await source.read(16_384, 10)).equals(bytes.subarray(16_384, 16_394))).toBe(true);
  });
});
