import { checkRange, type ByteSource } from './byte-source';

/** An image that lies in memory as a whole. */
export class MemorySource implements ByteSource {
  constructor(
    readonly bytes: Buffer,
    readonly label: string,
  ) {}

  get size(): number {
    return this.bytes.length;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a range that is refused must reject, not throw
  async read(position: number, length: number): Promise<Buffer> {
    checkRange(this, position, length);
    return this.bytes.subarray(position, position + length);
  }

  peek(position: number, length: number): Buffer | undefined {
    if (position < 0 || position + length > this.bytes.length) return undefined;
    return this.bytes.subarray(position, position + length);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
