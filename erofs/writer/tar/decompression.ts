import { createGunzip, type Gunzip } from 'node:zlib';
import { CodecError } from '../../compression/codec-error';
import { ZstdStreamDecoder } from '../../compression/zstd-stream';
import { errorCode } from '../../../linux/errno';
import { DamagedCompressionError, UnsupportedTarError } from './errors';
import { hasHeaderChecksum, TAR_BLOCK } from './header';

/** Bytes that come out of a decoder at once. */
const PIECE = 256 * 1024;

type Pieces = AsyncIterable<Buffer>;
/** @param tar for errors: path of the tar. */
type Decompressor = (input: Pieces, tar: string) => Pieces;

/** How streams begin that are not a plain tar (RFC 1952, RFC 8878; the others are known in order to be named). */
const FORMATS: readonly {
  readonly starts: (head: Buffer) => boolean;
  readonly name: string;
  readonly decompress?: Decompressor;
}[] = [
  { name: 'gzip', starts: magic(0x1f, 0x8b), decompress: decompressGzip },
  { name: 'zstd', starts: magic(0x28, 0xb5, 0x2f, 0xfd), decompress: decompressZstd },
  // A frame for others to use, which decoders skip.
  {
    name: 'zstd',
    starts: (head) => (head[0] ?? 0) >> 4 === 5 && magic(0x2a, 0x4d, 0x18)(head.subarray(1)),
    decompress: decompressZstd,
  },
  { name: 'xz', starts: magic(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00) },
  { name: 'bzip2', starts: magic(0x42, 0x5a, 0x68) },
  { name: 'lz4', starts: magic(0x04, 0x22, 0x4d, 0x18) },
];

function magic(...bytes: number[]): (head: Buffer) => boolean {
  return (head) => bytes.every((byte, index) => head[index] === byte);
}

/**
 * The tar in a stream that is plain, or compressed with gzip or zstd, as its first bytes tell. Several members or frames
 * follow each other as one stream. Pieces are new buffers. Throws DamagedCompressionError, and UnsupportedTarError where
 * another compression is recognised.
 */
export async function* decompressed(input: Pieces, tar: string): AsyncGenerator<Buffer, void> {
  const source = input[Symbol.asyncIterator]();
  const head = await readHead(source);
  const whole = continued(head, source);
  // What has a header's checksum is a tar, whatever its first name begins with.
  const format = hasHeaderChecksum(head) ? undefined : FORMATS.find(({ starts }) => starts(head));
  if (format === undefined) {
    yield* whole;
  } else if (format.decompress === undefined) {
    throw new UnsupportedTarError(
      { tar, offset: 0 },
      `compressed with ${format.name}; gzip and zstd are known here`,
    );
  } else {
    yield* format.decompress(whole, tar);
  }
}

/** The first bytes: a block of them, unless the stream ends before. */
async function readHead(source: AsyncIterator<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let bytes = 0; bytes < TAR_BLOCK;) {
    const next = await source.next();
    if (next.done === true) break;
    parts.push(next.value);
    bytes += next.value.length;
  }
  return Buffer.concat(parts);
}

async function* continued(head: Buffer, source: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void> {
  if (head.length > 0) yield head;
  for (let next = await source.next(); next.done !== true; next = await source.next()) yield next.value;
}

async function* decompressGzip(input: Pieces, tar: string): AsyncGenerator<Buffer, void> {
  const engine = createGunzip({ chunkSize: PIECE });
  let offset = 0;
  const feeding = feedGunzip(engine, input);
  // Whoever reads the engine hears of what went wrong before it.
  feeding.catch((error: unknown) =>
    engine.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  try {
    for await (const piece of engine as AsyncIterable<Buffer>) {
      offset += piece.length;
      yield piece;
    }
    await feeding;
  } catch (error) {
    const problem = gzipProblem(error);
    if (problem === undefined) throw error;
    throw new DamagedCompressionError({ tar, offset }, `gzip: ${problem}`, { cause: error });
  } finally {
    engine.destroy();
  }
}

/** Garbage behind the last member. */
class TrailingBytesError extends Error {
  override readonly name = 'TrailingBytesError';
}

/**
 * Writes a stream to the decoder. Node's stops for good at a byte 0 behind a member, for some programs fill up a block
 * with zeros; what comes then must be no more than that. It takes everything else for another member.
 */
async function feedGunzip(engine: Gunzip, input: Pieces): Promise<void> {
  let fed = 0;
  let ended = false;
  for await (const piece of input) {
    let unused = piece;
    if (!ended) {
      await written(engine, piece);
      if (engine.destroyed) return;
      fed += piece.length;
      unused = piece.subarray(piece.length - (fed - engine.bytesWritten));
      ended = unused.length > 0;
    }
    if (unused.some((byte) => byte !== 0)) throw new TrailingBytesError('something else follows it');
  }
  if (!ended) engine.end();
}

/** Resolves once the decoder has taken a piece, or has failed. */
function written(engine: Gunzip, piece: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      engine.off('close', done);
      resolve();
    };
    // After a failure the callback of the write is not called.
    engine.once('close', done);
    engine.write(piece, done);
  });
}

/** What is wrong with the stream, or undefined where the error is not about that. */
function gzipProblem(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return error instanceof TrailingBytesError || errorCode(error)?.startsWith('Z_') === true
    ? error.message
    : undefined;
}

async function* decompressZstd(input: Pieces, tar: string): AsyncGenerator<Buffer, void> {
  using decoder = new ZstdStreamDecoder();
  let offset = 0;
  let between = true;
  try {
    for await (const piece of input) {
      let left = piece;
      let full = false;
      while (left.length > 0 || full) {
        const output = Buffer.allocUnsafe(PIECE);
        const { consumed, produced, frameEnded } = await decoder.step(left, output);
        left = left.subarray(consumed);
        offset += produced;
        between = frameEnded;
        // A full output may leave more of the frame behind, which needs no more input to come out.
        full = produced === PIECE && !frameEnded;
        if (produced > 0) yield output.subarray(0, produced);
      }
    }
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new DamagedCompressionError({ tar, offset }, `zstd: ${error.message}`, { cause: error });
  }
  if (!between) throw new DamagedCompressionError({ tar, offset }, 'zstd: ends in the middle of a frame');
}
