import { ErofsCorruptError } from './errors';

/** Random access to the bytes of an image, or of a file inside one. */
export interface ByteSource extends AsyncDisposable {
  /** For messages: what these bytes are, usually a path. */
  readonly label: string;
  /** Bytes. */
  readonly size: number;
  /** Reads that stay between two multiples of this are the cheapest ones (bytes). Absent: all are alike. */
  readonly grain?: number;
  /**
   * Exactly `length` bytes from `position`. The caller must not change them, for others may see the same memory.
   * Rejects with ErofsCorruptError where the range is not wholly inside the source. They may be put in `into`, which
   * begins on a page boundary and is the read's until it has ended.
   */
  read(position: number, length: number, into?: Buffer): Promise<Buffer>;
  /** The same bytes at once where they are in memory, else undefined; never throws. */
  peek?(position: number, length: number): Buffer | undefined;
  /**
   * Calls `use` with the same bytes, at once where they are in memory, and gives what it gives. They are lent: once that has
   * settled, other bytes may stand there.
   */
  lend?<Result>(
    position: number,
    length: number,
    use: (bytes: Buffer) => Result | Promise<Result>,
  ): Result | Promise<Result>;
  /** Lets go of memory that holds what can be read again. */
  rest?(): void;
}

/** Throws ErofsCorruptError unless the range lies in the source. */
export function checkRange(source: ByteSource, position: number, length: number): void {
  if (position >= 0 && length >= 0 && position + length <= source.size) return;
  throw new ErofsCorruptError(
    { image: source.label, offset: position, field: 'image' },
    `is truncated: ${length} bytes are wanted, it ends at ${source.size}`,
  );
}
