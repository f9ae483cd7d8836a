import { readlink, realpath } from 'node:fs/promises';
import path from 'node:path';
import { errorCode } from './errno';

/**
 * Path of a mount point without symbolic links, found without asking the file system that is mounted there: its server
 * may be dead or stuck. Rejects as realpath(3) does where a directory on the way is missing.
 */
export async function mountPointPath(given: string): Promise<string> {
  const absolute = path.resolve(given);
  if (absolute === '/') return absolute;
  const place = path.join(await realpath(path.dirname(absolute)), path.basename(absolute));
  // The root of a mount is a directory, of which the kernel itself knows that it is no link.
  return (await isLink(place)) ? realpath(place) : place;
}

async function isLink(place: string): Promise<boolean> {
  try {
    await readlink(place);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EINVAL') return false;
    throw error;
  }
}
