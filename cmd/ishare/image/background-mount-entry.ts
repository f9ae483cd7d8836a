import { once } from 'node:events';
import type { ImageMount } from '../../../ishare/image-mount';
import { lowerHelperThreads } from '../../../linux/helper-threads';
import { CommandError } from '../command-error';
import type { StartMessage } from './background-mount';
import { MOUNT_FAILURE } from './exit-code';
import { reportOf, type MountOrder } from './mount-order';
import { serveMount } from './serve-mount';

/** The process that `ishare image mount --detach` leaves behind. Its starter gets one message, nobody gets any other. */
async function main(): Promise<void> {
  lowerHelperThreads();
  const order = JSON.parse(process.argv[2] ?? '') as MountOrder;
  try {
    process.exitCode = await serveMount(order, {
      mounted: (mount) => tellStarter(order, mount),
      say: () => undefined,
    });
  } catch (error) {
    const message = error instanceof CommandError ? error.message : ((error as Error).stack ?? String(error));
    process.exitCode = MOUNT_FAILURE;
    if (process.connected) await send({ kind: 'failed', message });
  }
}

/** Rejects where the starter is gone: nobody would know of the mount. */
async function tellStarter(order: MountOrder, mount: ImageMount): Promise<void> {
  const noted = once(process, 'message').then(() => true);
  const parted = once(process, 'disconnect').then(() => false);
  await send({ kind: 'mounted', report: reportOf(order, mount.device, process.pid) });
  if (!(await Promise.race([noted, parted]))) throw new Error('the starter is gone');
}

function send(message: StartMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    if (process.send === undefined) throw new Error('this file is started by "ishare image mount --detach"');
    process.send(message, undefined, undefined, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

void main();
