import { ErofsCorruptError } from './errors';

/** Random access to the bytes of an image, or of a file inside one. */
export interface ByteSource extends AsyncDisposable {
  /** For messages: what these bytes are, usually a path. */
  readonly label: string;
  /** Bytes. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `position`. The caller must not change them, for others may see the same memory.
   * Rejects with ErofsCorruptError where the range is not wholly inside the source.
   */
  read(position: number, length: number): Promise<Buffer>;
  /** The same bytes at once where they are in memory, else undefined; never throws. */
  peek?(position: number, length: number): Buffer | undefined;
}

/** Throws ErofsCorruptError unless the range lies in the source. */
export function checkRange(source: ByteSource, position: number, length: number): void {
  if (position >= 0 && length >= 0 && position + length <= source.size) return;
  throw new ErofsCorruptError(
    { image: source.label, offset: position, field: 'image' },
    `is truncated: ${length} bytes are wanted, it ends at ${source.size}`,
  );
}
