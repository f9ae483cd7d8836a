import { createHash } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { dropCachedPages } from '../../linux/page-cache';
import {
  DIGEST_TABLE_MAGIC,
  DIGEST_TABLE_VERSION,
  DIGEST_UNIT,
  UNIT_DIGEST_BYTES,
  digestTableHeader,
} from '../format/digest-table';
import type { Pace } from '../writer/pace';
import { digestUnits } from './unit-digests';

/** Bytes read at once: whole units of any size. */
const READ_BYTES = 1024 * 1024;

/** Bytes after which what was read leaves the page cache. */
const DROP_EVERY = 64 * 1024 * 1024;

/**
 * Makes the digest table of a file that is open for reading, and stays the caller's. Synchronous but for the breaths that
 * `pace` takes. The file's pages may stay in the page cache.
 */
export async function makeDigestTable(fd: number, pace: Pace, unitSize = DIGEST_UNIT): Promise<Buffer> {
  const imageLength = fstatSync(fd).size;
  const count = Math.ceil(imageLength / unitSize);
  const table = Buffer.alloc(digestTableHeader.size + count * UNIT_DIGEST_BYTES);
  digestTableHeader.write(table, 0, {
    magic: DIGEST_TABLE_MAGIC,
    version: DIGEST_TABLE_VERSION,
    unitSize,
    imageLength,
    count,
  });
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  let filled = digestTableHeader.size;
  for (let position = 0; position < imageLength; position += READ_BYTES) {
    if (pace.due()) await pace.breathe();
    const piece = buffer.subarray(0, Math.min(READ_BYTES, imageLength - position));
    readExactly(fd, piece, position);
    filled += digestUnits(piece, unitSize).copy(table, filled);
    if ((position + READ_BYTES) % DROP_EVERY === 0) dropCachedPages(fd);
  }
  return table;
}

/** What a table is recognized by: its SHA-256, lower-case hexadecimal. */
export function digestTableRoot(table: Buffer): string {
  return createHash('sha256').update(table).digest('hex');
}

/** Writes a table into a new file, and syncs it. Synchronous. */
export function writeDigestTable(path: string, table: Buffer): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    for (let done = 0; done < table.length;) done += writeSync(fd, table, done);
    fsyncSync(fd);
    dropCachedPages(fd);
  } finally {
    closeSync(fd);
  }
}

function readExactly(fd: number, target: Buffer, position: number): void {
  for (let done = 0; done < target.length;) {
    const count = readSync(fd, target, done, target.length - done, position + done);
    if (count === 0) throw new Error(`the image ends at ${position + done} while its digests are taken`);
    done += count;
  }
}
