import { stat } from 'node:fs/promises';
import { isatty } from 'node:tty';
import type { ByteSource } from '../../../erofs/byte-source';
import { FileSource } from '../../../erofs/file-source';
import { SUPERBLOCK_MAGIC, SUPERBLOCK_OFFSET } from '../../../erofs/format/superblock';
import { hasHeaderChecksum, TAR_BLOCK } from '../../../erofs/writer/tar/header';
import { startProgressBar } from '../../progress-bar';
import { ArchiveError } from './archive-error';
import { SpooledSource } from './spooled-source';

const STANDARD_INPUT = { path: '/dev/stdin', label: 'standard input', descriptor: 0 } as const;

/** Bytes that tell what something is. */
const HEAD = SUPERBLOCK_OFFSET + 4;

export type Kind = 'erofs' | 'tar';

/**
 * The bytes of an EROFS image or a tar. What is compressed, or can be read but once, goes through a temporary file first.
 * Throws ArchiveError for anything else.
 *
 * @param path undefined: standard input.
 */
export async function imageBytes(path: string | undefined, quiet: boolean): Promise<ByteSource> {
  if (path === undefined) {
    const { label, descriptor } = STANDARD_INPUT;
    if (isatty(descriptor)) throw new ArchiveError(label, 'is a terminal; an image is expected there');
    return await spooled(STANDARD_INPUT.path, label, quiet);
  }
  if (!(await stat(path)).isFile()) return await spooled(path, path, quiet);
  const file = await FileSource.open(path);
  try {
    if ((await kindOfSource(file)) !== undefined) return file;
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
  await file[Symbol.asyncDispose]();
  return await spooled(path, path, quiet, file.size);
}

export async function kindOfSource(source: ByteSource): Promise<Kind | undefined> {
  return kindOf(await source.read(0, Math.min(HEAD, source.size)));
}

function kindOf(head: Buffer): Kind | undefined {
  if (head.length >= HEAD && head.readUInt32LE(SUPERBLOCK_OFFSET) === SUPERBLOCK_MAGIC) return 'erofs';
  return head.length >= TAR_BLOCK && hasHeaderChecksum(head.subarray(0, TAR_BLOCK)) ? 'tar' : undefined;
}

async function spooled(path: string, label: string, quiet: boolean, size?: number): Promise<SpooledSource> {
  using bar = quiet ? undefined : startProgressBar(`Unpacking ${label}`, 'bytes', size);
  const check = (head: Buffer): void => {
    if (kindOf(head) === undefined) {
      throw new ArchiveError(label, 'is neither an EROFS image nor an archive of images');
    }
  };
  return await SpooledSource.read(path, label, { bytes: HEAD, check }, (bytes) => bar?.update(bytes));
}
