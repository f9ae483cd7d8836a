import { chmod, mkdir, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { errorCode } from '../../linux/errno';
import { StartError } from './start-error';

/** Only root may pass: containers' files lie below. */
export const PRIVATE_DIRECTORY = 0o700;
const OTHERS = 0o077;

/** Marks a directory as one that a daemon uses; it is locked while the daemon runs. */
export const LOCK_FILE = 'lock';

/**
 * The path without symbolic links, as the mount table names it, whether or not all of it exists. Throws StartError
 * naming `flag`.
 */
export async function withoutLinks(flag: string, directory: string): Promise<string> {
  try {
    return await realpath(directory);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw unusable(flag, directory, error);
    const parent = path.dirname(directory);
    return path.join(await withoutLinks(flag, parent), path.basename(directory));
  }
}

/**
 * Makes a directory that nobody but its owner may enter. One that exists is closed to others too where it is empty or
 * a daemon has used it before; else it is left as it is, since it may be anything (`/tmp`), and the result is false.
 */
export async function makePrivateDirectory(flag: string, directory: string): Promise<boolean> {
  try {
    await mkdir(directory, { recursive: true, mode: PRIVATE_DIRECTORY });
    const { mode } = await stat(directory);
    if ((mode & OTHERS) === 0) return true;
    const names = await readdir(directory);
    if (names.length > 0 && !names.includes(LOCK_FILE)) return false;
    await chmod(directory, PRIVATE_DIRECTORY);
    return true;
  } catch (error) {
    throw unusable(flag, directory, error);
  }
}

function unusable(flag: string, directory: string, cause: unknown): Error {
  if (cause instanceof Error && errorCode(cause) === undefined) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new StartError(`${flag} ${directory}: cannot be used: ${reason}`, { cause });
}
