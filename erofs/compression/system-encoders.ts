import { CodecError } from './codec-error';
import { checkZstd, systemLibrary } from './system-codecs';

/**
 * Encoders of the system's own libraries. EROFS wants an output of fixed size to be filled with as much input as goes
 * into it, which no package of the registry offers. All calls run on the calling thread.
 */

/** What became of an input. */
export interface Filling {
  /** Bytes of the input that the output stands for. */
  readonly consumed: number;
  /** Bytes of the output. */
  readonly produced: number;
}

/** Fills outputs. */
export interface FillingEncoder extends Disposable {
  /**
   * Encodes as much of the front of `input` as fits into `output`; nothing where not even a little does.
   * @param expected bytes of input that may fit: who must search starts there. The result may depend on it.
   */
  fill(input: Buffer, output: Buffer, expected?: number): Filling;
}

const NOTHING: Filling = { consumed: 0, produced: 0 };

const lz4 = systemLibrary('liblz4.so.1', (declare) => ({
  version: declare<[], string>('const char *LZ4_versionString()'),
  fill: declare<[Buffer, Buffer, Buffer, number], number>(
    'int LZ4_compress_destSize(const void *src, _Out_ void *dst, _Inout_ void *srcSize, int targetDstSize)',
  ),
  stateSizeHc: declare<[], number>('int LZ4_sizeofStateHC()'),
  fillHc: declare<[Buffer, Buffer, Buffer, Buffer, number, number], number>(
    'int LZ4_compress_HC_destSize(_Inout_ void *state, const void *src, _Out_ void *dst, _Inout_ void *srcSize, int targetDstSize, int level)',
  ),
}));

/** Version of the library, such as `1.9.4`. */
export function lz4Version(): string {
  return lz4().version();
}

/** An int that the library reads and writes: bytes of input offered, then taken. */
class SizeCell {
  readonly bytes = Buffer.alloc(4);

  offer(size: number): Buffer {
    this.bytes.writeInt32LE(size);
    return this.bytes;
  }

  get taken(): number {
    return this.bytes.readInt32LE();
  }
}

/** LZ4 blocks. */
export class Lz4Encoder implements FillingEncoder {
  readonly #size = new SizeCell();

  fill(input: Buffer, output: Buffer): Filling {
    const produced = lz4().fill(input, output, this.#size.offer(input.length), output.length);
    return produced > 0 ? { consumed: this.#size.taken, produced } : NOTHING;
  }

  [Symbol.dispose](): void {
    // The library keeps no state between calls.
  }
}

/** LZ4 blocks, looked for longer. */
export class Lz4HcEncoder implements FillingEncoder {
  readonly #size = new SizeCell();
  readonly #state = Buffer.allocUnsafeSlow(lz4().stateSizeHc());

  /** @param level 1 to 12. */
  constructor(private readonly level: number) {}

  fill(input: Buffer, output: Buffer): Filling {
    const size = this.#size.offer(input.length);
    const produced = lz4().fillHc(this.#state, input, output, size, output.length, this.level);
    return produced > 0 ? { consumed: this.#size.taken, produced } : NOTHING;
  }

  [Symbol.dispose](): void {
    // The state is a buffer, and goes as buffers go.
  }
}

type Address = bigint | number;

const zstd = systemLibrary('libzstd.so.1', (declare) => ({
  version: declare<[], string>('const char *ZSTD_versionString()'),
  errorCode: declare<[Address], number>('int ZSTD_getErrorCode(size_t code)'),
  createContext: declare<[], Address>('uintptr_t ZSTD_createCCtx()'),
  freeContext: declare<[Address], Address>('size_t ZSTD_freeCCtx(uintptr_t cctx)'),
  setParameter: declare<[Address, number, number], Address>(
    'size_t ZSTD_CCtx_setParameter(uintptr_t cctx, int param, int value)',
  ),
  compress: declare<[Address, Buffer, number, Buffer, number], Address>(
    'size_t ZSTD_compress2(uintptr_t cctx, _Out_ void *dst, size_t dstCapacity, const void *src, size_t srcSize)',
  ),
}));

/** Version of the library, such as `1.5.4`. */
export function zstdVersion(): string {
  return zstd().version();
}

/** ZSTD_cParameter of zstd.h. */
const ZSTD_C_COMPRESSION_LEVEL = 100;
const ZSTD_C_WINDOW_LOG = 101;
/** ZSTD_ErrorCode of zstd_errors.h. */
const ZSTD_ERROR_DST_SIZE_TOO_SMALL = 70;

/**
 * An output counts as full when fewer bytes than these are left, or a smaller part of it than the shift says: a closer
 * fit costs more attempts than it is worth.
 */
const ZSTD_SLACK = 32;
const ZSTD_SLACK_SHIFT = 8;

/** First guess of how much better the input is packed than stored. */
const ZSTD_FIRST_RATIO = 4;

/**
 * Zstandard frames. The library cannot be asked to fill an output, so the largest input that fits is searched for, led
 * by the ratio of the attempts before.
 */
export class ZstdEncoder implements FillingEncoder {
  readonly #context: Address;

  /** @param level 1 to 22. @param windowLog log2 of the bytes that a match reaches back at most. */
  constructor(level: number, windowLog: number) {
    this.#context = zstd().createContext();
    if (Number(this.#context) === 0) throw new CodecError('no memory for an encoder');
    this.#set(ZSTD_C_COMPRESSION_LEVEL, level);
    this.#set(ZSTD_C_WINDOW_LOG, windowLog);
  }

  fill(input: Buffer, output: Buffer, expected = output.length * ZSTD_FIRST_RATIO): Filling {
    let best = NOTHING;
    /** The smallest input that is known not to fit. */
    let tooMuch = input.length + 1;
    let attempt = expected;
    const full = output.length - Math.max(ZSTD_SLACK, output.length >> ZSTD_SLACK_SHIFT);
    /** The output holds another attempt than the best. */
    let stale = false;
    while (best.consumed + 1 < tooMuch) {
      attempt = Math.min(Math.max(attempt, best.consumed + 1), tooMuch - 1);
      const produced = this.#compress(input.subarray(0, attempt), output);
      if (produced === undefined) {
        stale = true;
        tooMuch = attempt;
        attempt = Math.floor((best.consumed + tooMuch) / 2);
        // Halving would go on for a few bytes more.
        if (tooMuch - best.consumed <= Math.max(ZSTD_SLACK, best.consumed >> 8)) break;
      } else {
        stale = false;
        best = { consumed: attempt, produced };
        if (produced >= full) break;
        attempt = Math.floor((attempt * output.length) / produced);
      }
    }
    if (stale && best.consumed > 0) this.#compress(input.subarray(0, best.consumed), output);
    return best;
  }

  [Symbol.dispose](): void {
    zstd().freeContext(this.#context);
  }

  /** Bytes of output, or undefined where there is no room for them. */
  #compress(input: Buffer, output: Buffer): number | undefined {
    const { compress, errorCode } = zstd();
    const result = compress(this.#context, output, output.length, input, input.length);
    if (errorCode(result) === ZSTD_ERROR_DST_SIZE_TOO_SMALL) return undefined;
    checkZstd(result);
    return Number(result);
  }

  #set(parameter: number, value: number): void {
    checkZstd(zstd().setParameter(this.#context, parameter, value));
  }
}
