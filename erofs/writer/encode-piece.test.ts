import fc from 'fast-check';
import { decodeLz4Now, decodeZstdNow } from '../compression/system-codecs';
import type { EncoderSettings } from './compression-options';
import { encodePiece, outputSlack, type EncodedPiece } from './encode-piece';
import { openEncoder } from './encoder-settings';

const BLOCK = 4096;

const settings: fc.Arbitrary<EncoderSettings> = fc.record({
  encoder: fc.constantFrom('lz4', 'lz4hc', 'zstd'),
  level: fc.constant(undefined),
  pclusterSize: fc.constantFrom(4096, 8192, 65_536, 1 << 20),
});

/** Stretches of random bytes, of one byte and of few values. */
const content: fc.Arbitrary<Buffer> = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 20_000 }), fc.constantFrom(1, 2, 9, 256), fc.nat()), {
    minLength: 1,
    maxLength: 8,
  })
  .map((stretches) =>
    Buffer.concat(
      stretches.map(([length, values, seed]) => {
        let state = seed >>> 0;
        return Uint8Array.from({ length }, () => {
          state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
          return (state >>> 24) % values;
        });
      }),
    ),
  );

/** What readers make of it. */
function decode({ extents, bytes, inlineBytes }: EncodedPiece, output: Buffer, encoder: string): Buffer {
  let at = 0;
  const parts = extents.map(({ length, blocks, plain }) => {
    const size = blocks === 0 ? inlineBytes : blocks * BLOCK;
    const pcluster = output.subarray(at, at + size);
    at += size;
    if (plain) return pcluster.subarray(0, length);
    const stream = pcluster.subarray(pcluster.findIndex((byte) => byte !== 0));
    const decoded = Buffer.alloc(length);
    if (encoder === 'zstd') decodeZstdNow(stream, decoded);
    else decodeLz4Now(stream, decoded, false);
    return decoded;
  });
  expect(at).toBe(bytes + inlineBytes);
  return Buffer.concat(parts);
}

test('a piece decodes to what it was, and obeys what readers ask of extents', () => {
  fc.assert(
    fc.property(content, settings, fc.constantFrom(0, 100, 3072), (input, chosen, inlineMax) => {
      const output = Buffer.alloc(input.length + outputSlack(chosen.pclusterSize), 0xee);
      const plainBytes = input.length;
      using encoder = openEncoder(chosen);
      const limits = { pclusterSize: chosen.pclusterSize, inlineMax, plainBytes };
      const encoded = encodePiece(input, output, encoder, limits);
      if (encoded === undefined) return;
      expect(encoded.bytes + encoded.inlineBytes).toBeLessThan(plainBytes);
      expect(encoded.inlineBytes).toBeLessThanOrEqual(inlineMax);
      expect(decode(encoded, output, chosen.encoder).equals(input)).toBe(true);
      let start = 0;
      let block = -1;
      for (const { length, blocks, plain } of encoded.extents) {
        expect(Math.floor(start / BLOCK)).toBeGreaterThan(block);
        block = Math.floor(start / BLOCK);
        start += length;
        expect(blocks * BLOCK).toBeLessThanOrEqual(chosen.pclusterSize);
        if (plain) expect(length).toBeLessThanOrEqual(BLOCK);
        else if (blocks > 0) expect(length).toBeGreaterThan(blocks * BLOCK);
      }
    }),
    { numRuns: 60, interruptAfterTimeLimit: 5000 },
  );
});

test.each(['lz4', 'lz4hc', 'zstd'] as const)('%s makes the same of the same, with any state', (encoder) => {
  const input = Buffer.from(Array.from({ length: 90_000 }, (_, index) => `${index * 7919}`).join());
  using one = openEncoder({ encoder, pclusterSize: 16_384 });
  using other = openEncoder({ encoder, pclusterSize: 16_384 });
  const [first, second] = [Buffer.alloc(16_384), Buffer.alloc(16_384)];
  other.fill(Buffer.alloc(200_000, 'something else'), second);
  const filling = one.fill(input, first);
  expect(other.fill(input, second)).toEqual(filling);
  expect(second.subarray(0, filling.produced).equals(first.subarray(0, filling.produced))).toBe(true);
  // Filled as far as it goes.
  expect(filling.consumed).toBeLessThan(input.length);
  expect(filling.produced).toBeGreaterThan(16_000);
});
