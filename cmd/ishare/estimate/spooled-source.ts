import { tmpdir } from 'node:os';
import type { Readable } from 'node:stream';
import { checkRange, type ByteSource } from '../../../erofs/byte-source';
import { Spool } from '../../../erofs/writer/spool';
import { decompressed } from '../../../erofs/writer/tar/decompression';
import { openInput } from '../../../erofs/writer/tar/input';

/** Bytes of a stream, decompressed, in a temporary file without a name. */
export class SpooledSource implements ByteSource {
  private constructor(
    readonly label: string,
    private readonly spool: Spool,
  ) {}

  /**
   * Reads a file, fifo or descriptor to its end. Throws TarErrors where its compression is damaged or unknown.
   *
   * @param head is given the first `bytes`, fewer where the stream ends before; what it throws ends this.
   * @param onRead is told how many bytes, compressed as they are, have been read.
   */
  static async read(
    path: string,
    label: string,
    head: { readonly bytes: number; check(bytes: Buffer): void },
    onRead: (bytes: number) => void,
  ): Promise<SpooledSource> {
    const input = openInput(path);
    const spool = new Spool(tmpdir());
    try {
      let checked = false;
      for await (const piece of decompressed(counted(input, onRead), label)) {
        spool.append(piece);
        if (checked || spool.size < head.bytes) continue;
        head.check(spool.read(0, head.bytes));
        checked = true;
      }
      if (!checked) head.check(spool.read(0, spool.size));
      return new SpooledSource(label, spool);
    } catch (error) {
      spool[Symbol.dispose]();
      throw error;
    } finally {
      input.destroy();
    }
  }

  get size(): number {
    return this.spool.size;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a range that is refused must reject, not throw
  async read(position: number, length: number): Promise<Buffer> {
    checkRange(this, position, length);
    return this.spool.read(position, length);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.spool[Symbol.dispose]();
    return Promise.resolve();
  }
}

async function* counted(input: Readable, onRead: (bytes: number) => void): AsyncGenerator<Buffer, void> {
  let bytes = 0;
  for await (const piece of input as AsyncIterable<Buffer>) {
    bytes += piece.length;
    onRead(bytes);
    yield piece;
  }
}
