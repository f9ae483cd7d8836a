import { gzipSync } from 'node:zlib';
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { decompressed } from './decompression';
import { DamagedCompressionError, UnsupportedTarError } from './errors';
import { header, member } from './testing/craft-tar';

const MIB = 1024 * 1024;

function zstdSync(bytes: Buffer, ...options: readonly string[]): Buffer {
  return execFileSync('zstd', ['-q', '-c', ...options], { input: bytes, maxBuffer: 64 * MIB });
}

/** What comes out of a stream that comes in pieces of the given sizes. */
async function through(bytes: Buffer, ...sizes: readonly number[]): Promise<Buffer> {
  async function* pieces(): AsyncGenerator<Buffer, void> {
    for (let at = 0, index = 0; at < bytes.length; index++) {
      const size = sizes[index % sizes.length] ?? bytes.length;
      yield await Promise.resolve(bytes.subarray(at, at + size));
      at += size;
    }
  }
  const parts: Buffer[] = [];
  for await (const part of decompressed(pieces(), 'the.tar')) parts.push(part);
  return Buffer.concat(parts);
}

const text = Buffer.from('some text, some more text, and some other text. '.repeat(50));
const noise = Buffer.from(
  Uint8Array.from({ length: 3 * MIB }, (_, index) => (index * index * 31 + (index >> 7)) & 0xff),
);
const zeros = Buffer.alloc(5 * MIB);

describe.each([
  ['gzip', (bytes: Buffer): Buffer => gzipSync(bytes)],
  ['zstd', (bytes: Buffer): Buffer => zstdSync(bytes)],
])('%s', (name, compress) => {
  test('one stream or several in a row, in whatever pieces', async () => {
    const parts = [text, Buffer.alloc(0), noise.subarray(0, 5000), zeros.subarray(0, 300_000), text].map(
      compress,
    );
    const whole = Buffer.concat([text, noise.subarray(0, 5000), zeros.subarray(0, 300_000), text]);
    const packed = Buffer.concat(parts);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 6 }),
        async (sizes) => {
          expect((await through(packed, ...sizes)).equals(whole)).toBe(true);
        },
      ),
      { numRuns: 20 },
    );
    // Each edge of a member at the edge of a piece.
    expect((await through(packed, ...parts.map(({ length }) => length))).equals(whole)).toBe(true);
    expect((await through(Buffer.concat(parts.slice(3)), 1)).equals(whole.subarray(text.length + 5000))).toBe(
      true,
    );
  });

  test('more than comes out at once', async () => {
    const whole = Buffer.concat([noise, zeros]);
    expect((await through(compress(whole), 100_000)).equals(whole)).toBe(true);
  });

  test('a stream cut anywhere is an error', async () => {
    const packed = Buffer.concat([compress(text), compress(noise.subarray(0, 1000))]);
    const first = compress(text).length;
    for (let length = 12; length < packed.length; length += 7) {
      if (length === first) continue;
      const error: unknown = await through(packed.subarray(0, length), 50).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(DamagedCompressionError);
      expect((error as Error).message).toMatch(new RegExp(`^the.tar, byte [0-9]+: ${name}: .*end`));
    }
  });

  test('a byte that is not the one that was written is an error, or makes no difference', async () => {
    const packed = compress(text);
    for (let at = 2; at < packed.length; at++) {
      const damaged = Buffer.from(packed);
      damaged[at] = damaged[at]! ^ 0x55;
      const outcome = await through(damaged, 30).catch((reason: unknown) => reason);
      if (Buffer.isBuffer(outcome)) expect(outcome).toEqual(at < 12 ? outcome : text);
      else expect([DamagedCompressionError, UnsupportedTarError]).toContain((outcome as Error).constructor);
    }
  });

  test.each([[1], [5], [1000], [100_000]])('garbage behind it is an error, in pieces of %i', async (size) => {
    const packed = Buffer.concat([compress(text), Buffer.from('this is no other member')]);
    await expect(through(packed, size)).rejects.toThrow(DamagedCompressionError);
  });
});

test('zeros may fill up a gzip stream, and nothing else behind them', async () => {
  const packed = Buffer.concat([gzipSync(text), Buffer.alloc(3000)]);
  for (const size of [1, gzipSync(text).length, 700, 100_000]) {
    expect(await through(packed, size)).toEqual(text);
    const wrong = Buffer.concat([packed, gzipSync(text)]);
    await expect(through(wrong, size)).rejects.toThrow(/gzip: something else follows it$/);
  }
});

test('frames that decoders skip may stand anywhere in a zstd stream', async () => {
  const skipped = Buffer.concat([Buffer.from('582a4d1805000000', 'hex'), Buffer.from('hello')]);
  const packed = Buffer.concat([skipped, zstdSync(text), skipped, zstdSync(text), skipped]);
  expect(await through(packed, 11)).toEqual(Buffer.concat([text, text]));
});

test('a zstd window that would take more than 128 MiB is refused', async () => {
  const packed = zstdSync(noise, '--long=28', '--no-check', '--stream-size=300000000').subarray(0, 100);
  await expect(through(packed)).rejects.toThrow(/^the.tar, byte 0: zstd: Frame requires too much memory/);
});

test('a tar is plain, whatever its first name looks like', async () => {
  const tar = Buffer.concat([
    header({ name: Buffer.from([0x1f, 0x8b, 0x08]) }),
    member({ name: 'next' }, 'x'),
  ]);
  expect(await through(tar, 100)).toEqual(tar);
  expect(await through(text, 3)).toEqual(text);
  expect(await through(Buffer.alloc(0))).toEqual(Buffer.alloc(0));
});

test.each([
  ['xz', 'fd377a585a000004'],
  ['bzip2', '425a683931415926'],
  ['lz4', '04224d1864700000'],
])('%s is recognised and named', async (name, hex) => {
  const error: unknown = await through(Buffer.from(hex, 'hex')).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UnsupportedTarError);
  expect((error as Error).message).toBe(
    `the.tar, byte 0: compressed with ${name}; gzip and zstd are known here`,
  );
});
