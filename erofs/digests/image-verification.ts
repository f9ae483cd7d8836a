import { FileSource } from '../file-source';
import { DigestTable, type DigestTableFile } from './digest-table';
import { digestUnits } from './unit-digests';

/** Bytes read at once: whole units of any size. */
const READ_BYTES = 1024 * 1024;

/** Offsets that a report names. */
const WRONG_NAMED_MAX = 1000;

export interface ImageVerificationOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with each megabyte. */
  readonly onProgress?: ((progress: ImageVerificationProgress) => void) | undefined;
}

export interface ImageVerificationProgress {
  /** Bytes of the image file that were checked, and all there are. */
  readonly bytes: number;
  readonly totalBytes: number;
}

/** What an image file is, compared with its digest table. */
export interface ImageVerification {
  /** Bytes of the file: what is there, and what was recorded. Not the same: the file is not sound. */
  readonly fileLength: number;
  readonly recordedLength: number;
  /** Bytes of a unit, but of the last. */
  readonly unitSize: number;
  /** Units that differ, those that are cut off or gone as well. */
  readonly wrongUnits: number;
  /** Byte offsets of the first of them, in order, a thousand at most. */
  readonly wrong: readonly number[];
}

/**
 * Compares all of an image file with its digest table, and tells what differs. It is read past the page cache, a megabyte
 * ahead of what is hashed, and hashed on the calling thread: run this in a worker thread wherever something else must not
 * wait. Rejects as `DigestTable.read` does where the table itself is wrong, with the signal's reason when aborted, and with
 * errors of system calls as they come.
 */
export async function verifyImageFile(
  path: string,
  digests: DigestTableFile,
  { signal, onProgress }: ImageVerificationOptions = {},
): Promise<ImageVerification> {
  signal?.throwIfAborted();
  await using file = await FileSource.open(path);
  const table = await DigestTable.read(digests, path);
  const found = new WrongUnits();
  const end = Math.min(file.size, table.imageLength);
  for await (const { position, bytes } of pieces(file, end)) {
    for (const { offset } of table.wrongUnits(position, digestUnits(bytes, table.unitSize)))
      found.add(offset);
    onProgress?.({ bytes: position + bytes.length, totalBytes: end });
    signal?.throwIfAborted();
  }
  const gone = Math.ceil(end / table.unitSize) * table.unitSize;
  for (let offset = gone; offset < table.imageLength; offset += table.unitSize) found.add(offset);
  return {
    fileLength: file.size,
    recordedLength: table.imageLength,
    unitSize: table.unitSize,
    wrongUnits: found.count,
    wrong: found.offsets,
  };
}

/** The first `end` bytes of a file in order; while one piece is in use, the next one is read. */
async function* pieces(
  file: FileSource,
  end: number,
): AsyncGenerator<{ readonly position: number; readonly bytes: Buffer }> {
  const start = (position: number): Promise<Buffer> => {
    const read = file.read(position, Math.min(READ_BYTES, end - position));
    // It is waited for in its turn, or not at all where the piece before is the last one wanted.
    read.catch(() => undefined);
    return read;
  };
  let next = end > 0 ? start(0) : undefined;
  for (let position = 0; next !== undefined; position += READ_BYTES) {
    const bytes = await next;
    next = position + READ_BYTES < end ? start(position + READ_BYTES) : undefined;
    yield { position, bytes };
  }
}

class WrongUnits {
  readonly offsets: number[] = [];
  count = 0;

  add(offset: number): void {
    this.count++;
    if (this.offsets.length < WRONG_NAMED_MAX) this.offsets.push(offset);
  }
}
