import { closeSync, openSync, writeFileSync } from 'node:fs';
import { Pace } from '../../writer/pace';
import { ScratchDirectory } from '../../writer/testing/scratch-directory';
import type { DigestTableFile } from '../digest-table';
import { digestTableRoot, makeDigestTable, writeDigestTable } from '../table-writer';

/** Records the digests of a file in a new table, as a build does. */
export async function recordDigests(
  image: string,
  path: string,
  unitSize?: number,
): Promise<DigestTableFile> {
  const fd = openSync(image, 'r');
  try {
    const table = await makeDigestTable(fd, new Pace(undefined), unitSize);
    writeDigestTable(path, table);
    return { path, root: digestTableRoot(table) };
  } finally {
    closeSync(fd);
  }
}

/** A file with a digest table, in a directory of its own. What it holds need not be an image. */
export class RecordedImage implements Disposable {
  private constructor(
    private readonly scratch: ScratchDirectory,
    readonly path: string,
    readonly digests: DigestTableFile,
  ) {}

  static async of(bytes: Buffer, unitSize?: number): Promise<RecordedImage> {
    const scratch = new ScratchDirectory();
    const path = scratch.join('image');
    writeFileSync(path, bytes, { flush: true });
    return new RecordedImage(scratch, path, await recordDigests(path, scratch.join('table'), unitSize));
  }

  /** Puts other bytes into the file, past all that knows of its digests. */
  change(bytes: Buffer): void {
    writeFileSync(this.path, bytes, { flush: true });
  }

  [Symbol.dispose](): void {
    this.scratch[Symbol.dispose]();
  }
}

/** Bytes that are the same each time, and in no two units. */
export function sampleBytes(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 13 + (at >>> 9) * 7 + (at >>> 14)) & 0xff));
}

/** The same bytes, one of them changed. */
export function withFlip(bytes: Buffer, at: number, mask = 1): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ mask;
  return copy;
}
