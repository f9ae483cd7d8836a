import { once } from 'node:events';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { FuseDevice } from '../device';
import { mountFuse, mountFuseDetached } from '../mount';
import { Session } from '../session';
import { MemoryFileSystem } from './memory-file-system';
import { CACHING, MOUNT_NAME } from './served-mount';

/**
 * Serves a mount in a process of its own, for tests of how such a process ends. Called as
 * `node server-program.js WAY [DIRECTORY]`; says `serving` on its standard output once the mount answers.
 */
const ways = {
  /** Until it is killed. READs are never answered, except of `quick`. */
  async serve(directory: string) {
    const fileSystem = new MemoryFileSystem();
    fileSystem.file(fileSystem.root, 'quick', 'quick content');
    const slow = fileSystem.file(fileSystem.root, 'slow', 'slow content');
    fileSystem.beforeRead = async (node) => {
      if (node === slow) await new Promise(() => undefined);
    };
    const device = FuseDevice.open();
    mountFuse(device, directory, { name: MOUNT_NAME });
    await start(device, fileSystem);
  },

  /** Stops by itself; nothing is left then that would keep the process alive. */
  async stop() {
    using device = FuseDevice.open();
    using _mount = mountFuseDetached(device, { name: MOUNT_NAME });
    const { ran } = await start(device, new MemoryFileSystem());
    device.stop();
    await ran;
  },

  /** Ends the process in the middle of everything. */
  async exit() {
    const device = FuseDevice.open();
    mountFuseDetached(device, { name: MOUNT_NAME });
    await start(device, new MemoryFileSystem());
    process.exit(0);
  },

  /** Serves from a worker thread and ends the thread by force. */
  async terminate() {
    const worker = new Worker(__filename, { workerData: 'in a worker', trackUnmanagedFds: false });
    await once(worker, 'message');
    await worker.terminate();
  },
};

async function start(
  device: FuseDevice,
  fileSystem: MemoryFileSystem,
): Promise<{ readonly ran: Promise<void> }> {
  const session = new Session(device, fileSystem, CACHING, { onFault: () => undefined });
  const ran = session.run();
  await session.negotiated;
  process.stdout.write('serving\n');
  return { ran };
}

async function serveInWorker(): Promise<void> {
  const device = FuseDevice.open();
  mountFuseDetached(device, { name: MOUNT_NAME });
  await start(device, new MemoryFileSystem());
  parentPort?.postMessage('serving');
}

if (workerData === 'in a worker') {
  void serveInWorker();
} else if (require.main === module) {
  const [way = '', directory = ''] = process.argv.slice(2);
  void ways[way as keyof typeof ways](directory);
}
