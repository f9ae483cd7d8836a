import { execFileSync } from 'node:child_process';
import { deflateRawSync } from 'node:zlib';
import { ErofsCorruptError } from '../errors';
import { ALGORITHM, LZMA_DICTIONARY_MAX, type Algorithm } from '../format/compression';
import type { CompressionConfiguration } from './configuration';
import { Decoder } from './decoder';

const configuration: CompressionConfiguration = {
  algorithms: new Set([ALGORITHM.LZ4]),
  zeroPadding: true,
  bigPclusters: true,
  lzmaDictionarySize: LZMA_DICTIONARY_MAX,
};
const site = { image: 'sample', field: 'pcluster' };
const decoder = new Decoder();

async function decode(algorithm: Algorithm, input: Buffer, length: number, partial = false): Promise<Buffer> {
  return await decoder.decode(algorithm, input, length, { partial, configuration, site });
}

/** More than is decoded on the calling thread, and less. */
const LARGE = 200_000;
const SMALL = 3000;

function content(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 7 + (at >>> 6)) & 0xff));
}

/** An LZ4 block of nothing but literals. */
function lz4(bytes: Buffer): Buffer {
  const rest = bytes.length - 15;
  return Buffer.concat([
    Buffer.from([0xf0, ...Array<number>(Math.floor(rest / 255)).fill(255), rest % 255]),
    bytes,
  ]);
}

/** A Zstandard frame of raw blocks with a window of 128 KiB (RFC 8878). */
function zstd(bytes: Buffer): Buffer {
  const blocks: Buffer[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38])];
  for (let at = 0; at < bytes.length; at += 100_000) {
    const piece = bytes.subarray(at, at + 100_000);
    const head = Buffer.alloc(3);
    head.writeUIntLE((piece.length << 3) | (at + piece.length === bytes.length ? 1 : 0), 0, 3);
    blocks.push(head, piece);
  }
  return Buffer.concat(blocks);
}

/** A MicroLZMA stream: .lzma without its head, the properties instead of the first byte. */
function microLzma(bytes: Buffer): Buffer {
  const file = execFileSync('xz', ['--format=lzma', '--stdout'], { input: bytes });
  const stream = Buffer.from(file.subarray(13));
  stream[0] = ~file.readUInt8(0) & 0xff;
  return stream;
}

const encoders: [string, Algorithm, (bytes: Buffer) => Buffer][] = [
  ['LZ4', ALGORITHM.LZ4, lz4],
  ['DEFLATE', ALGORITHM.DEFLATE, (bytes) => deflateRawSync(bytes)],
  ['Zstandard', ALGORITHM.ZSTD, zstd],
];

describe.each(encoders)('%s', (_name, algorithm, encode) => {
  it.each([SMALL, LARGE])('gives %d bytes back', async (length) => {
    expect(await decode(algorithm, encode(content(length)), length)).toEqual(content(length));
  });

  it.each([SMALL, LARGE])('gives the first of more bytes than %d where that is wanted', async (length) => {
    const stream = encode(content(2 * length));
    expect(await decode(algorithm, stream, length, true)).toEqual(content(length));
    await expect(decode(algorithm, stream, length)).rejects.toThrow(ErofsCorruptError);
  });

  it.each([SMALL, LARGE])('refuses to make up what a stream for %d bytes does not hold', async (length) => {
    const stream = encode(content(length));
    for (const partial of [false, true]) {
      await expect(decode(algorithm, stream, length + 1, partial)).rejects.toThrow(ErofsCorruptError);
      await expect(decode(algorithm, stream.subarray(0, 100), length, partial)).rejects.toThrow(
        ErofsCorruptError,
      );
    }
  });

  it('refuses noise', async () => {
    for (const length of [SMALL, LARGE]) {
      const noise = content(5000).map((byte) => byte ^ 0x5a);
      await expect(decode(algorithm, Buffer.from(noise), length)).rejects.toMatchObject({
        code: 'EUCLEAN',
        ...site,
      });
    }
  });
});

describe('MicroLZMA', () => {
  it.each([SMALL, LARGE])('gives the first %d bytes', async (length) => {
    const stream = microLzma(content(2 * length));
    expect(await decode(ALGORITHM.LZMA, stream, length, true)).toEqual(content(length));
  });

  it('refuses what is too short, and noise', async () => {
    const stream = microLzma(content(LARGE));
    const parts = [
      [stream.subarray(0, stream.length / 2), false],
      [stream.subarray(0, stream.length / 2), true],
      [Buffer.alloc(500, 0xfe), false],
      [stream, false],
    ] as const;
    for (const [input, partial] of parts) {
      await expect(decode(ALGORITHM.LZMA, input, LARGE - 1000, partial)).rejects.toMatchObject({
        code: 'EUCLEAN',
      });
    }
  });
});

describe('a decoder', () => {
  it('writes where it is told to', async () => {
    const into = Buffer.alloc(LARGE);
    const context = { partial: false, configuration, site, into };
    expect(await decoder.decode(ALGORITHM.LZ4, lz4(content(LARGE)), LARGE, context)).toBe(into);
    expect(into).toEqual(content(LARGE));
    await expect(decoder.decode(ALGORITHM.DEFLATE, content(10), 10, context)).rejects.toThrow(RangeError);
    expect(() => decoder.decode(ALGORITHM.LZ4, lz4(content(10)), 10, context)).toThrow(RangeError);
  });

  it('keeps many decodes apart', async () => {
    const jobs = Array.from({ length: 60 }, (_, index) => {
      const [, algorithm, encode] = encoders[index % encoders.length] ?? encoders[0]!;
      const bytes = content(40_000 + index).fill(index, 100, 30_000);
      return decode(algorithm, encode(bytes), bytes.length).then((decoded) => decoded.equals(bytes));
    });
    expect(await Promise.all(jobs)).toEqual(jobs.map(() => true));
  });
});
