import { readFile, writeFile } from 'node:fs/promises';
import { errorCode } from '../linux/errno';
import { mount } from '../linux/mount';
import { readMountTable } from '../linux/mount-table';

const CONTROL = '/sys/fs/fuse/connections';

/**
 * Ends a connection by force: requests under way fail with ECONNABORTED, later ones with ENOTCONN. `minor` is the
 * minor device number of the mount. False where there is no such connection. (fs/fuse/control.c)
 */
export async function abortConnection(minor: number): Promise<boolean> {
  await ensureControlMounted();
  try {
    await writeFile(`${CONTROL}/${minor}/abort`, '1');
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Requests that the kernel has handed out or queued on a connection and that are not answered yet. */
export async function waitingRequests(minor: number): Promise<number | undefined> {
  await ensureControlMounted();
  try {
    return Number(await readFile(`${CONTROL}/${minor}/waiting`, 'utf8'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function ensureControlMounted(): Promise<void> {
  const table = await readMountTable();
  if (table.some((entry) => entry.target === CONTROL && entry.type === 'fusectl')) return;
  try {
    mount('fusectl', CONTROL, 'fusectl', 0, '');
  } catch (error) {
    // Somebody else mounted it a moment ago.
    if (errorCode(error) !== 'EBUSY') throw error;
  }
}
