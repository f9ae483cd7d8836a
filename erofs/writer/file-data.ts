import { createHash } from 'node:crypto';
import type { ContentReader, ContentSource } from './content';
import { SourceChangedError } from './errors';
import { fingerprintValue } from './fingerprint-xattr';
import { BLOCK_SIZE } from './geometry';
import type { InodePlan } from './inode-plan';
import type { ProgressMeter } from './progress';
import type { SequentialOutput } from './sequential-output';

/** What the inode's own place in the metadata needs of a file's content. */
export interface FileData {
  /** Value of the attribute. */
  readonly fingerprint: Buffer;
  /** The part that stands inline. */
  readonly tail: Buffer;
}

/**
 * Reads a file that is not empty once: its blocks go to `data`, where they must be next, and all of it is hashed.
 * Throws SourceChangedError where the content is not of the size that was laid out, or its source says so.
 */
export async function writeFileData(
  data: SequentialOutput,
  inode: InodePlan,
  content: ContentSource,
  meter: ProgressMeter,
): Promise<FileData> {
  using reader = content.open();
  const hash = createHash('sha256');
  if (inode.blocks > 0) {
    if (data.position !== inode.startBlock * BLOCK_SIZE) {
      throw new Error(`${inode.shown()}: laid out at block ${inode.startBlock}, written at ${data.position}`);
    }
    let left = inode.size - inode.inlineTail;
    while (left > 0) {
      const room = data.room();
      const count = readSome(reader, left < room.length ? room.subarray(0, left) : room, inode);
      hash.update(room.subarray(0, count));
      data.advance(count);
      left -= count;
      meter.countContent(count);
      if (meter.due()) await meter.breathe();
    }
    data.padTo((inode.startBlock + inode.blocks) * BLOCK_SIZE);
  }
  const tail = readTail(reader, inode);
  hash.update(tail);
  meter.countContent(tail.length);
  reader.verify();
  return { fingerprint: fingerprintValue(hash.digest()), tail };
}

function readTail(reader: ContentReader, inode: InodePlan): Buffer {
  const tail = Buffer.allocUnsafe(inode.inlineTail);
  for (let done = 0; done < tail.length;) done += readSome(reader, tail.subarray(done), inode);
  return tail;
}

function readSome(reader: ContentReader, target: Buffer, inode: InodePlan): number {
  const count = reader.read(target);
  if (count > 0) return count;
  // The source knows best what happened to it.
  reader.verify();
  throw new SourceChangedError(inode.shown(), `ended before its ${inode.size} bytes`);
}
