import { readdir, writeFile } from 'node:fs/promises';
import { errorCode } from '../../linux/errno';
import { mount } from '../../linux/mount';

const CONTROL = '/sys/fs/fuse/connections';

/**
 * Ends a FUSE connection, so that everybody who waits on it gets an error. `device` is the mount's `major:minor`; the
 * kernel names a connection after its minor number (Documentation/filesystems/fuse/fuse.rst). One that has ended
 * already is no error. The control file system is mounted where it is not yet.
 */
export async function abortFuseConnection(device: string): Promise<void> {
  const names = await readdir(CONTROL).catch(() => []);
  if (names.length === 0) mountControl();
  const minor = device.split(':')[1] ?? '';
  try {
    await writeFile(`${CONTROL}/${minor}/abort`, '1');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** Distributions mount it through systemd; a container or a small virtual machine may not have it. */
function mountControl(): void {
  try {
    mount('fusectl', CONTROL, 'fusectl', 0, '');
  } catch (error) {
    // Mounted already, and without any connection.
    if (errorCode(error) !== 'EBUSY') throw error;
  }
}
