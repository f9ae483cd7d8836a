import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { DigestTable } from '../erofs/digests/digest-table';
import { digestUnits } from '../erofs/digests/unit-digests';
import { errorCode } from '../linux/errno';
import { withSubject } from '../linux/named-failure';
import { dropCachedPages } from '../linux/page-cache';

const PRIVATE_FILE = 0o600;

/** What of an image cannot be read is taken for this. */
const UNREADABLE = new Set(['EIO', 'EUCLEAN']);

/** An image and what was recorded of it when it was built. */
export interface DamagedImage {
  readonly path: string;
  /** The table of its digests, and the SHA-256 of that, hexadecimal. */
  readonly digests: { readonly path: string; readonly root: string };
}

/**
 * Takes those units of an image that do not have their digests from the image at `source`, where they have them there. They are
 * written in place, so that whoever has the image open reads what is right from then on; an image that is not there is made.
 * Resolves to the number of units that are still wrong.
 */
export async function repairUnits({ path, digests }: DamagedImage, source: string): Promise<number> {
  const table = await DigestTable.read(digests, path);
  await using from = await open(source, 'r');
  await using to = await open(path, constants.O_RDWR | constants.O_CREAT, PRIVATE_FILE);
  let wrong = 0;
  try {
    for (let offset = 0; offset < table.imageLength; offset += table.unitSize) {
      const length = Math.min(table.unitSize, table.imageLength - offset);
      const isRight = (unit: Buffer): boolean =>
        table.wrongUnits(offset, digestUnits(unit, table.unitSize)).length === 0;
      if (isRight(await readUnit(to, offset, length))) continue;
      const unit = await readUnit(from, offset, length);
      if (isRight(unit)) await writeUnit(to, unit, offset);
      else wrong += 1;
    }
    await to.truncate(table.imageLength);
    await to.sync();
  } catch (error) {
    throw withSubject(error, path);
  }
  // Images are read past the page cache.
  dropCachedPages(from.fd);
  dropCachedPages(to.fd);
  return wrong;
}

/** Zeros stand for what is not there or cannot be read. */
async function readUnit(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const unit = Buffer.alloc(length);
  try {
    for (let done = 0; done < length;) {
      const { bytesRead } = await file.read(unit, done, length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
  } catch (error) {
    if (!UNREADABLE.has(errorCode(error) ?? '')) throw error;
  }
  return unit;
}

async function writeUnit(file: FileHandle, unit: Buffer, offset: number): Promise<void> {
  for (let done = 0; done < unit.length;) {
    done += (await file.write(unit, done, unit.length - done, offset + done)).bytesWritten;
  }
}
