import { constants, createInflateRaw } from 'node:zlib';
import { CodecError } from './codec-error';

/**
 * Fills `output` from a raw DEFLATE stream (on libuv's thread pool), which must decode to exactly that many bytes unless
 * `partial`. Decoding stops with the chunk that fills `output`.
 */
export function decodeDeflate(input: Buffer, output: Buffer, partial: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let filled = 0;
    // A chunk larger than what is wanted, so that one round does it and surplus shows. Node wants 64 bytes at least.
    const inflate = createInflateRaw({
      chunkSize: Math.max(64, output.length + 1),
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    const finish = (problem?: string, cause?: unknown): void => {
      inflate.destroy();
      if (problem === undefined) resolve();
      else reject(new CodecError(problem, { cause }));
    };
    inflate.on('data', (chunk: Buffer) => {
      const copied = chunk.copy(output, filled);
      filled += copied;
      if (copied < chunk.length && !partial) finish('the stream holds more than is wanted');
      else if (filled === output.length) finish();
    });
    inflate.on('error', (error) => finish(error.message, error));
    inflate.on('end', () =>
      finish(filled < output.length ? `the stream holds only ${filled} bytes` : undefined),
    );
    inflate.end(input);
  });
}
