import { readdir, rmdir, unlink } from 'node:fs/promises';
import { orGone } from './or-gone';

const SLASH = Buffer.from('/');

/**
 * Deletes a directory with all that is in it, one thing after the other. `rm` of Node begins with everything at once, and
 * reads of images would wait in libuv's pool until thousands of files are deleted. What is gone already is as it should be.
 */
export async function deleteTree(path: string | Buffer): Promise<void> {
  const directory = Buffer.from(path);
  // Names need not be UTF-8.
  for (const entry of await orGone(readdir(directory, { withFileTypes: true, encoding: 'buffer' }), [])) {
    const child = Buffer.concat([directory, SLASH, entry.name]);
    if (entry.isDirectory()) await deleteTree(child);
    else await orGone(unlink(child), undefined);
  }
  await orGone(rmdir(directory), undefined);
}
