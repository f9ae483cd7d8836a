import type { Nid } from './brands';
import type { ByteSource } from './byte-source';
import { ErofsCorruptError } from './errors';

/** The same as `readRange`, but the bytes are only lent: see `ByteSource.lend`. */
export function useRange<Result>(
  source: ByteSource,
  position: number,
  length: number,
  nid: Nid | undefined,
  field: string,
  use: (bytes: Buffer) => Result | Promise<Result>,
): Result | Promise<Result> {
  requireInside(source, position, length, nid, field);
  if (source.lend !== undefined) return source.lend(position, length, use);
  const bytes = source.peek?.(position, length) ?? source.read(position, length);
  return bytes instanceof Promise ? bytes.then(use) : use(bytes);
}

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
  requireInside(source, position, length, nid, field);
  return source.peek?.(position, length) ?? source.read(position, length);
}

function requireInside(
  source: ByteSource,
  position: number,
  length: number,
  nid: Nid | undefined,
  field: string,
): void {
  if (position >= 0 && length >= 0 && position + length <= source.size) return;
  throw new ErofsCorruptError(
    { image: source.label, nid, offset: position, field },
    `${length} bytes there would lie outside the image of ${source.size} bytes`,
  );
}
