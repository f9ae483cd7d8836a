import { stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { MemoryFileSystem } from '../../fuse/testing/memory-file-system';
import { ServedMount } from '../../fuse/testing/served-mount';
import { tryLockFile } from '../../linux/file-lock';

/**
 * A process that cannot end when it is killed: it waits for its own answer to a request that it has read. It holds locks and
 * listens on sockets, as a daemon does. Arguments: the lock files, "--", the sockets. Prints the minor number of its mount, by
 * which its connection can be aborted, once it waits.
 */
async function wait(locks: readonly string[], sockets: readonly string[]): Promise<void> {
  const held = locks.map((file) => tryLockFile(file));
  if (held.includes(undefined)) throw new Error('somebody else holds a lock');
  for (const socket of sockets) await new Promise<void>((done) => createServer().listen(socket, done));
  const fileSystem = new MemoryFileSystem();
  const served = await ServedMount.detached(fileSystem);
  fileSystem.lookup = () => {
    console.log(served.minor);
    return new Promise(() => undefined);
  };
  await stat(`${served.root}/missing`);
  held.length = 0;
}

const [locks = '', sockets = ''] = process.argv.slice(2).join('\n').split('\n--\n');
void wait(locks.split('\n'), sockets.split('\n'));
