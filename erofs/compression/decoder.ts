import { ErofsCorruptError, ErofsUnsupportedError, type ErofsErrorSite } from '../errors';
import { ALGORITHM, ALGORITHM_NAMES, type Algorithm } from '../format/compression';
import { CodecError, MissingCodecError } from './codec-error';
import type { CompressionConfiguration } from './configuration';
import { decodeDeflate } from './deflate';
import { Gate } from './gate';
import {
  decodeLz4,
  decodeLz4Now,
  decodeMicroLzma,
  decodeZstd,
  decodeZstdNow,
  decodeZstdPart,
} from './system-codecs';

/** What a decoder must know besides the bytes. */
export interface DecodeContext {
  /** The stream may hold more than is wanted; else it must hold exactly that. */
  readonly partial: boolean;
  readonly configuration: CompressionConfiguration;
  /** For errors. */
  readonly site: ErofsErrorSite;
  /** Where the bytes go: exactly as long as is wanted. New memory where it is left out. */
  readonly into?: Buffer | undefined;
}

/**
 * Decodes at a time. They share libuv's pool with the reads of images and with the opens of our own mounts, which must
 * find threads as well.
 */
const CONCURRENT_DECODES = 4;

/**
 * Outputs up to these many bytes are decoded at once, on the calling thread, which may be the one that serves /dev/fuse:
 * that takes up to 11 µs (LZ4) and 36 µs (Zstandard), while the way to the thread pool and back takes 25 to 60. Larger
 * ones, of which a long READ wants several, would hold up everybody else. Algorithms without a limit here always go there.
 */
const AT_ONCE_MAX: Readonly<Record<Algorithm, number>> = {
  [ALGORITHM.LZ4]: 32 * 1024,
  [ALGORITHM.ZSTD]: 32 * 1024,
  [ALGORITHM.LZMA]: 0,
  [ALGORITHM.DEFLATE]: 0,
};

/** All algorithms behind one call. What it gives is bounded by what is asked for, whatever the input says. */
export class Decoder {
  readonly #gate = new Gate(CONCURRENT_DECODES);

  /**
   * The first `outputLength` bytes that `input` decodes to. At once where that is quick. Throws or rejects with
   * ErofsCorruptError where it decodes to less (or to more, unless `context.partial`), with ErofsUnsupportedError where a
   * library is missing.
   */
  decode(
    algorithm: Algorithm,
    input: Buffer,
    outputLength: number,
    context: DecodeContext,
  ): Buffer | Promise<Buffer> {
    if (!isDecodedAtOnce(algorithm, outputLength, context)) {
      return this.#decodeInPool(algorithm, input, outputLength, context);
    }
    const output = target(outputLength, context);
    try {
      if (algorithm === ALGORITHM.LZ4) decodeLz4Now(input, output, context.partial);
      else decodeZstdNow(input, output);
      return output;
    } catch (error) {
      throw translated(error, algorithm, context.site);
    }
  }

  async #decodeInPool(
    algorithm: Algorithm,
    input: Buffer,
    outputLength: number,
    context: DecodeContext,
  ): Promise<Buffer> {
    try {
      return await this.#gate.run(async () => {
        const output = target(outputLength, context);
        await decodeInPool(algorithm, input, output, context);
        return output;
      });
    } catch (error) {
      throw translated(error, algorithm, context.site);
    }
  }
}

function isDecodedAtOnce(algorithm: Algorithm, length: number, { partial }: DecodeContext): boolean {
  // A part of a Zstandard frame wants a decoder with a window of its own.
  return length <= AT_ONCE_MAX[algorithm] && !(partial && algorithm === ALGORITHM.ZSTD);
}

function target(length: number, { into }: DecodeContext): Buffer {
  if (into === undefined) return Buffer.allocUnsafeSlow(length);
  if (into.length !== length) throw new RangeError(`${into.length} bytes of room for ${length}`);
  return into;
}

/** Not larger than what any extent decodes to: a frame may name it although the image allows less. */
const ZSTD_PART_WINDOW_LOG = 24;

function decodeInPool(
  algorithm: Algorithm,
  input: Buffer,
  output: Buffer,
  { partial, configuration }: DecodeContext,
): Promise<void> {
  switch (algorithm) {
    case ALGORITHM.LZ4:
      return decodeLz4(input, output, partial);
    case ALGORITHM.LZMA:
      return decodeMicroLzma(input, output, partial, configuration.lzmaDictionarySize);
    case ALGORITHM.DEFLATE:
      return decodeDeflate(input, output, partial);
    case ALGORITHM.ZSTD:
      return partial ? decodeZstdPart(input, output, ZSTD_PART_WINDOW_LOG) : decodeZstd(input, output);
  }
}

function translated(error: unknown, algorithm: Algorithm, site: ErofsErrorSite): unknown {
  if (error instanceof CodecError) {
    return new ErofsCorruptError(site, `${ALGORITHM_NAMES[algorithm]}: ${error.message}`, { cause: error });
  }
  if (error instanceof MissingCodecError) {
    return new ErofsUnsupportedError(site, `${ALGORITHM_NAMES[algorithm]}: ${error.message}`, {
      cause: error,
    });
  }
  return error;
}
