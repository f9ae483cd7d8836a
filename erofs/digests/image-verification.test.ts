import { closeSync, openSync, truncateSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { cacheStat, dropCachedPages } from '../../linux/page-cache';
import { ErofsDigestError } from '../errors';
import { verifyImageFile, type ImageVerificationProgress } from './image-verification';
import { RecordedImage, sampleBytes, withFlip } from './testing/recorded-image';

const bytes = sampleBytes(2_500_000);
const UNIT = 16_384;

function cachedPages(path: string, drop = false): number {
  const fd = openSync(path, 'r');
  try {
    if (drop) dropCachedPages(fd);
    return cacheStat(fd).cachedPages;
  } finally {
    closeSync(fd);
  }
}

describe('the verification of an image file', () => {
  test('finds nothing in a sound one, tells how far it is, and leaves nothing in the page cache', async () => {
    using image = await RecordedImage.of(bytes);
    expect(cachedPages(image.path, true)).toBe(0);
    const seen: ImageVerificationProgress[] = [];
    const found = await verifyImageFile(image.path, image.digests, { onProgress: (each) => seen.push(each) });
    expect(found).toEqual({
      fileLength: bytes.length,
      recordedLength: bytes.length,
      unitSize: UNIT,
      wrongUnits: 0,
      wrong: [],
    });
    expect(seen.map((each) => each.bytes)).toEqual([1_048_576, 2_097_152, 2_500_000]);
    expect(seen.at(-1)).toEqual({ bytes: 2_500_000, totalBytes: 2_500_000 });
    expect(cachedPages(image.path)).toBe(0);
  });

  test('finds every unit in which something was changed', async () => {
    using image = await RecordedImage.of(bytes);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length - 1), { maxLength: 10 }), async (flips) => {
        const units = new Set(flips.map((at) => at - (at % UNIT)));
        // One change a unit: two could cancel each other out.
        image.change([...units].reduce((changed, at) => withFlip(changed, at), bytes));
        const { wrong, wrongUnits } = await verifyImageFile(image.path, image.digests);
        expect(wrong).toEqual([...units].sort((one, other) => one - other));
        expect(wrongUnits).toBe(units.size);
      }),
      { numRuns: 15 },
    );
  });

  test.each([
    ['is shorter by a part of a unit', 40 * UNIT + 5, [40 * UNIT, 41 * UNIT, 42 * UNIT]],
    ['is shorter by whole units', 41 * UNIT, [41 * UNIT, 42 * UNIT]],
    ['has nothing left', 0, Array.from({ length: 43 }, (_, unit) => unit * UNIT)],
    ['is longer', 50 * UNIT, []],
  ])('of one that %s tells both lengths, and which units are gone', async (_what, length, wrong) => {
    using image = await RecordedImage.of(bytes.subarray(0, 42 * UNIT + 7));
    truncateSync(image.path, length);
    expect(await verifyImageFile(image.path, image.digests)).toEqual({
      fileLength: length,
      recordedLength: 42 * UNIT + 7,
      unitSize: UNIT,
      wrongUnits: wrong.length,
      wrong,
    });
  });

  test('counts all wrong units, and names the first thousand', async () => {
    using image = await RecordedImage.of(sampleBytes(1300 * 4096), 4096);
    image.change(Buffer.alloc(1300 * 4096, 0xee));
    const { wrong, wrongUnits } = await verifyImageFile(image.path, image.digests);
    expect(wrongUnits).toBe(1300);
    expect(wrong).toEqual(Array.from({ length: 1000 }, (_, unit) => unit * 4096));
  });

  test('is called off by its signal', async () => {
    using image = await RecordedImage.of(bytes);
    const reason = new Error('enough');
    await expect(
      verifyImageFile(image.path, image.digests, { signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
    const controller = new AbortController();
    const started = verifyImageFile(image.path, image.digests, {
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(started).rejects.toBe(reason);
  });

  test('is refused with a table that was changed', async () => {
    using image = await RecordedImage.of(bytes);
    writeFileSync(image.digests.path, 'x', { flag: 'a' });
    await expect(verifyImageFile(image.path, image.digests)).rejects.toThrow(ErofsDigestError);
  });
});
