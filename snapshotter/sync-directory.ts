import { open } from 'node:fs/promises';
import { withSubject } from '../linux/named-failure';

/** Brings the names in a directory to the disk. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r');
  try {
    await handle.sync();
  } catch (error) {
    throw withSubject(error, directory);
  }
}
