import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ByteSource } from '../../../../erofs/byte-source';
import { FileSource } from '../../../../erofs/file-source';
import { errorCode } from '../../../../linux/errno';
import { ArchiveError } from '../archive-error';

/** Files by their path: an image layout, or what `docker save` writes, in a directory or in a tar. */
export interface ImageStore extends AsyncDisposable {
  /** The directory or tar as the user named it. */
  readonly label: string;
  /** Opens a file, which the caller disposes of before the store; undefined where there is none. Its label names both. */
  open(path: string): Promise<ByteSource | undefined>;
}

/** An image layout that lies unpacked in a directory. */
export class DirectoryStore implements ImageStore {
  constructor(readonly label: string) {}

  async open(path: string): Promise<ByteSource | undefined> {
    const label = `${this.label}, ${path}`;
    // Paths come from the image.
    if (path.startsWith('/') || path.split('/').includes('..')) {
      throw new ArchiveError(label, 'leads out of the image');
    }
    const file = join(this.label, path);
    try {
      // Opening a fifo would wait for somebody.
      if (!(await stat(file)).isFile()) throw new ArchiveError(label, 'is no regular file');
      return await FileSource.open(file, label);
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held.
    return Promise.resolve();
  }
}

/** Opens a file that must be there. */
export async function openRequired(store: ImageStore, path: string, what: string): Promise<ByteSource> {
  const source = await store.open(path);
  if (source === undefined) throw new ArchiveError(`${store.label}, ${path}`, `${what} is missing`);
  return source;
}
