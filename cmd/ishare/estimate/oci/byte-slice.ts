import { checkRange, type ByteSource } from '../../../../erofs/byte-source';

/** A part of another source, which it does not own. */
export class ByteSlice implements ByteSource {
  constructor(
    private readonly source: ByteSource,
    /** Byte offset in the source. */
    private readonly offset: number,
    readonly size: number,
    readonly label: string,
  ) {}

  async read(position: number, length: number): Promise<Buffer> {
    checkRange(this, position, length);
    return await this.source.read(this.offset + position, length);
  }

  [Symbol.asyncDispose](): Promise<void> {
    // The source is somebody else's.
    return Promise.resolve();
  }
}
