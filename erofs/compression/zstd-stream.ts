import { CodecError } from './codec-error';
import { call, checkZstd, positionOf, zstd, zstdBuffer } from './system-codecs';

/** What one step of a decoder did. */
export interface DecodingStep {
  /** Bytes of the input that were taken. */
  readonly consumed: number;
  /** Bytes of the output that were filled. */
  readonly produced: number;
  /** A frame is complete, and all of it has come out. */
  readonly frameEnded: boolean;
}

/**
 * Decodes Zstandard frames, one after the other, as their bytes come. Memory is bounded by the window of a frame, of
 * which libzstd accepts up to 128 MiB.
 */
export class ZstdStreamDecoder implements Disposable {
  readonly #context = zstd().createContext();

  constructor() {
    if (Number(this.#context) === 0) throw new CodecError('no memory for a decoder');
  }

  /**
   * Takes bytes from the front of `input` and fills the front of `output`, on libuv's thread pool. One call at a time;
   * both buffers belong to it meanwhile. Rejects with CodecError.
   */
  async step(input: Buffer, output: Buffer): Promise<DecodingStep> {
    const source = zstdBuffer(input);
    const target = zstdBuffer(output);
    const hint = await call(zstd().decompressStream, [this.#context, target, source], [input, output]);
    checkZstd(hint);
    return { consumed: positionOf(source), produced: positionOf(target), frameEnded: Number(hint) === 0 };
  }

  /** Not while a step is being done. */
  [Symbol.dispose](): void {
    zstd().freeContext(this.#context);
  }
}
