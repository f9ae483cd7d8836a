import { closeSync, constants, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import type { ErofsImage, Inode } from '../image';

/** Bytes that are held at a time. */
const PIECE_BYTES = 1024 * 1024;

/** A file that is not there yet, and no link in its place. */
const MAKE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Makes a regular file with the content of an inode; holes stay holes. A file that cannot be made whole is removed. */
export async function writeContent(image: ErofsImage, inode: Inode, host: Buffer): Promise<void> {
  const fd = openSync(host, MAKE, 0o600);
  try {
    for await (const { kind, start, length } of image.extents(inode)) {
      if (kind === 'hole') continue;
      for (let offset = start; offset < start + length; offset += PIECE_BYTES) {
        const piece = await image.read(inode, offset, Math.min(PIECE_BYTES, start + length - offset));
        writeAll(fd, piece, offset);
      }
    }
    ftruncateSync(fd, inode.size);
  } catch (error) {
    rmSync(host);
    throw error;
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, bytes: Buffer, position: number): void {
  for (let written = 0; written < bytes.length;) {
    written += writeSync(fd, bytes, written, bytes.length - written, position + written);
  }
}
