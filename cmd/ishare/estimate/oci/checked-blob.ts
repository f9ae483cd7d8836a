import type { ByteSource } from '../../../../erofs/byte-source';
import { ArchiveError } from '../archive-error';
import { DigestCheck } from './digest';

/** Bytes that are read at once. */
const PIECE = 512 * 1024;

/**
 * The bytes of a blob from front to back, the next ones always on their way. After the last, throws ArchiveError where
 * the blob has not the digest that it is known by.
 *
 * @param digest undefined: it is known by none.
 * @param onRead is told of each piece how long it is.
 */
export async function* blobPieces(
  source: ByteSource,
  digest: string | undefined,
  onRead: (bytes: number) => void = () => undefined,
): AsyncGenerator<Buffer, void> {
  const check = digest === undefined ? undefined : new DigestCheck(digest);
  const read = (position: number): Promise<Buffer> => {
    const piece = source.read(position, Math.min(PIECE, source.size - position));
    // A failure is told to whoever comes for the piece; until then it must not count as nobody's.
    piece.catch(() => undefined);
    return piece;
  };
  let ahead = read(0);
  for (let position = 0; position < source.size;) {
    const piece = await ahead;
    position += piece.length;
    ahead = read(position);
    check?.update(piece);
    onRead(piece.length);
    yield piece;
  }
  const actual = check?.difference();
  if (actual !== undefined) throw new ArchiveError(source.label, `the content has the digest ${actual}`);
}

/** Reads a blob for no other purpose than its digest. Throws as `blobPieces` does. */
export async function checkBlob(
  source: ByteSource,
  digest: string | undefined,
  onRead?: (bytes: number) => void,
): Promise<void> {
  for await (const _piece of blobPieces(source, digest, onRead));
}
