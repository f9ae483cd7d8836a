import { createRequire } from 'node:module';
// eslint-disable-next-line no-restricted-imports -- the codecs of the system, and nothing else, are called from here
import type Koffi from 'koffi';
import { CodecError, MissingCodecError } from './codec-error';

/**
 * Codecs of the system's own libraries, called through koffi: no package of the registry decodes a part of an LZ4 block
 * or MicroLZMA at all, and these libraries are on every Debian and Ubuntu (dpkg and systemd need them).
 *
 * Asynchronous calls run on libuv's thread pool.
 */

/**
 * koffi, loaded when a codec is first called for: it frees nothing of what it makes for a thread, and threads that only hash
 * come and go.
 */
function koffi(): typeof Koffi {
  loadedKoffi ??= createRequire(__filename)('koffi') as typeof Koffi;
  return loadedKoffi;
}
let loadedKoffi: typeof Koffi | undefined;

type Callback<Result> = (error: unknown, result: Result) => void;
type NativeFunction<Arguments extends unknown[], Result> = ((...args: Arguments) => Result) & {
  async: (...args: [...Arguments, Callback<Result>]) => void;
};
type Declare = <Arguments extends unknown[], Result>(prototype: string) => NativeFunction<Arguments, Result>;

/** Loads a library when it is first asked for, and remembers what was declared in it. */
export function systemLibrary<Functions>(
  file: string,
  define: (declare: Declare) => Functions,
): () => Functions {
  let loaded: Functions | undefined;
  return () => {
    loaded ??= define(load(file));
    return loaded;
  };
}

function load(file: string): Declare {
  try {
    const handle = koffi().load(file);
    return <Arguments extends unknown[], Result>(prototype: string) =>
      handle.func(prototype) as NativeFunction<Arguments, Result>;
  } catch (error) {
    throw new MissingCodecError(`the library ${file} is missing`, { cause: error });
  }
}

/**
 * Calls a function on the thread pool. `kept` are buffers of which the arguments hold no more than the address: the
 * callback refers to them, so that they outlive the call.
 */
export function call<Arguments extends unknown[], Result>(
  native: NativeFunction<Arguments, Result>,
  args: Arguments,
  kept: Buffer[],
): Promise<Result> {
  return new Promise((resolve, reject) => {
    native.async(...args, (error, result) => {
      kept.length = 0;
      if (error === null || error === undefined) resolve(result);
      else reject(error instanceof Error ? error : new Error('a call of a codec failed', { cause: error }));
    });
  });
}

type Address = bigint;

const lz4 = systemLibrary('liblz4.so.1', (declare) => ({
  decompress: declare<[Buffer, Buffer, number, number], number>(
    'int LZ4_decompress_safe(const void *src, _Out_ void *dst, int compressedSize, int dstCapacity)',
  ),
  decompressPartial: declare<[Buffer, Buffer, number, number, number], number>(
    'int LZ4_decompress_safe_partial(const void *src, _Out_ void *dst, int srcSize, int targetSize, int dstCapacity)',
  ),
}));

/** Fills `output` from an LZ4 block, which must decode to exactly that many bytes unless `partial`. */
export async function decodeLz4(input: Buffer, output: Buffer, partial: boolean): Promise<void> {
  const { decompress, decompressPartial } = lz4();
  const { length } = output;
  const count = partial
    ? await call(decompressPartial, [input, output, input.length, length, length], [input, output])
    : await call(decompress, [input, output, input.length, length], [input, output]);
  requireLz4(count, output);
}

/** The same on the calling thread. */
export function decodeLz4Now(input: Buffer, output: Buffer, partial: boolean): void {
  const { decompress, decompressPartial } = lz4();
  const { length } = output;
  const count = partial
    ? decompressPartial(input, output, input.length, length, length)
    : decompress(input, output, input.length, length);
  requireLz4(count, output);
}

function requireLz4(count: number, output: Buffer): void {
  if (count === output.length) return;
  throw new CodecError(count < 0 ? 'no LZ4 block of this size' : `the block holds only ${count} bytes`);
}

/** Functions of zstd.h. */
export const zstd = systemLibrary('libzstd.so.1', (declare) => ({
  decompress: declare<[Address | number, Buffer, number, Buffer, number], number | bigint>(
    'size_t ZSTD_decompressDCtx(uintptr_t dctx, _Out_ void *dst, size_t dstCapacity, const void *src, size_t compressedSize)',
  ),
  isError: declare<[number | bigint], number>('unsigned int ZSTD_isError(size_t code)'),
  errorName: declare<[number | bigint], string>('const char *ZSTD_getErrorName(size_t code)'),
  createContext: declare<[], Address | number>('uintptr_t ZSTD_createDCtx()'),
  freeContext: declare<[Address | number], number | bigint>('size_t ZSTD_freeDCtx(uintptr_t dctx)'),
  setParameter: declare<[Address | number, number, number], number | bigint>(
    'size_t ZSTD_DCtx_setParameter(uintptr_t dctx, int param, int value)',
  ),
  decompressStream: declare<[Address | number, Buffer, Buffer], number | bigint>(
    'size_t ZSTD_decompressStream(uintptr_t dctx, _Inout_ void *output, _Inout_ void *input)',
  ),
}));

/** ZSTD_dParameter of zstd.h. */
const ZSTD_D_WINDOW_LOG_MAX = 100;

/**
 * Contexts for whole frames, which carry nothing from one frame to the next. They are kept for the life of the process,
 * as many as decodes were ever under way at the same time: a frame of 8 KiB takes 9 µs with one, and 21 with one of its own.
 */
const idleContexts: (Address | number)[] = [];

function takeContext(): Address | number {
  const context = idleContexts.pop() ?? zstd().createContext();
  if (Number(context) === 0) throw new CodecError('no memory for a decoder');
  return context;
}

/** Fills `output` from a Zstandard frame, which must decode to exactly that many bytes. */
export async function decodeZstd(input: Buffer, output: Buffer): Promise<void> {
  const context = takeContext();
  try {
    const { length } = output;
    requireZstd(
      await call(zstd().decompress, [context, output, length, input, input.length], [input, output]),
      output,
    );
  } finally {
    idleContexts.push(context);
  }
}

/** The same on the calling thread. */
export function decodeZstdNow(input: Buffer, output: Buffer): void {
  const context = takeContext();
  try {
    requireZstd(zstd().decompress(context, output, output.length, input, input.length), output);
  } finally {
    idleContexts.push(context);
  }
}

function requireZstd(result: number | bigint, output: Buffer): void {
  checkZstd(result);
  if (Number(result) !== output.length) throw new CodecError(`the frame holds only ${result} bytes`);
}

/** Throws CodecError where a result of libzstd is an error. */
export function checkZstd(result: number | bigint): void {
  const { isError, errorName } = zstd();
  if (isError(result) !== 0) throw new CodecError(errorName(result));
}

/** Fills `output` with the first bytes of a Zstandard frame whose window has at most `2 ** windowLog` bytes. */
export async function decodeZstdPart(input: Buffer, output: Buffer, windowLog: number): Promise<void> {
  const { createContext, freeContext, setParameter, decompressStream } = zstd();
  const context = createContext();
  if (Number(context) === 0) throw new CodecError('no memory for a decoder');
  try {
    checkZstd(setParameter(context, ZSTD_D_WINDOW_LOG_MAX, windowLog));
    const target = zstdBuffer(output);
    const source = zstdBuffer(input);
    while (positionOf(target) < output.length) {
      const before = positionOf(target) + positionOf(source);
      const hint = await call(decompressStream, [context, target, source], [input, output]);
      checkZstd(hint);
      const stuck = positionOf(target) + positionOf(source) === before;
      if (positionOf(target) < output.length && (stuck || Number(hint) === 0)) {
        throw new CodecError(`the frame holds only ${positionOf(target)} bytes`);
      }
    }
  } finally {
    freeContext(context);
  }
}

/** ZSTD_inBuffer and ZSTD_outBuffer: address, size and position, 8 bytes each. `bytes` must be kept by the caller. */
export function zstdBuffer(bytes: Buffer): Buffer {
  const struct = Buffer.alloc(24);
  struct.writeBigUInt64LE(koffi().address(bytes), 0);
  struct.writeBigUInt64LE(BigInt(bytes.length), 8);
  return struct;
}

/** How far libzstd has come in a `zstdBuffer` (bytes). */
export function positionOf(struct: Buffer): number {
  return Number(struct.readBigUInt64LE(16));
}

const lzma = systemLibrary('liblzma.so.5', (declare) => ({
  microDecoder: declare<[Buffer, number, number, number, number], number>(
    'int lzma_microlzma_decoder(_Inout_ void *strm, uint64_t comp_size, uint64_t uncomp_size, uint8_t uncomp_size_is_exact, uint32_t dict_size)',
  ),
  code: declare<[Buffer, number], number>('int lzma_code(_Inout_ void *strm, int action)'),
  end: declare<[Buffer], undefined>('void lzma_end(_Inout_ void *strm)'),
}));

/** lzma_stream of lzma/base.h: offsets of the fields that are used here, and its size, on 64-bit machines. */
const LZMA_STREAM = { NEXT_IN: 0, AVAILABLE_IN: 8, NEXT_OUT: 24, AVAILABLE_OUT: 32, SIZE: 136 } as const;
/** lzma_action and lzma_ret. */
const LZMA_FINISH = 3;
const LZMA_OK = 0;
const LZMA_STREAM_END = 1;

/** Fills `output` from a MicroLZMA stream, which must decode to exactly that many bytes unless `partial`. */
export async function decodeMicroLzma(
  input: Buffer,
  output: Buffer,
  partial: boolean,
  dictionarySize: number,
): Promise<void> {
  const { microDecoder, code, end } = lzma();
  const stream = Buffer.alloc(LZMA_STREAM.SIZE);
  const exact = partial ? 0 : 1;
  const started = microDecoder(stream, input.length, output.length, exact, dictionarySize);
  if (started !== LZMA_OK) throw new CodecError(`liblzma refuses to start: ${started}`);
  try {
    stream.writeBigUInt64LE(koffi().address(input), LZMA_STREAM.NEXT_IN);
    stream.writeBigUInt64LE(BigInt(input.length), LZMA_STREAM.AVAILABLE_IN);
    stream.writeBigUInt64LE(koffi().address(output), LZMA_STREAM.NEXT_OUT);
    stream.writeBigUInt64LE(BigInt(output.length), LZMA_STREAM.AVAILABLE_OUT);
    const result = await call(code, [stream, LZMA_FINISH], [input, output]);
    const missing = stream.readBigUInt64LE(LZMA_STREAM.AVAILABLE_OUT);
    if (result === LZMA_STREAM_END && missing === 0n) return;
    throw new CodecError(
      `no MicroLZMA stream of this size (liblzma says ${result}, ${missing} bytes are missing)`,
    );
  } finally {
    // Asynchronous too: giving the dictionary back to the system takes as long as its pages are many.
    await call(end, [stream], [stream]);
  }
}
