import type { Nid } from './brands';
import type { ByteSource } from './byte-source';
import { ErofsCorruptError } from './errors';

/**
 * `length` bytes of a source, at once where they are in memory. Throws ErofsCorruptError naming inode and field
 * where the range is not inside: everything that an image points to comes through here.
 */
export function readRange(
  source: ByteSource,
  position: number,
  length: number,
  nid: Nid | undefined,
  field: string,
): Buffer | Promise<Buffer> {
  if (!(position >= 0 && length >= 0 && position + length <= source.size)) {
    throw new ErofsCorruptError(
      { image: source.label, nid, offset: position, field },
      `${length} bytes there would lie outside the image of ${source.size} bytes`,
    );
  }
  return source.peek?.(position, length) ?? source.read(position, length);
}
