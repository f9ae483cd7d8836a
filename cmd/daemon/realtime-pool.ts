import { errorCode } from '../../linux/errno';
import { makeRealtime } from '../../linux/realtime';
import { threadIds } from '../../linux/threads';

/**
 * Lets the threads of libuv's pool, which read requests and images for the thread that serves the mounts, run before
 * ordinary ones. `before` are the threads of this process before its first asynchronous call, which starts the pool: those
 * of V8, which work for builds too.
 */
export function makePoolRealtime(before: readonly number[]): void {
  const ours = threadIds().filter((thread) => thread !== process.pid && !before.includes(thread));
  try {
    for (const thread of ours) makeRealtime(thread);
  } catch (error) {
    // The thread that serves the mounts fails in the same way, and says so.
    if (errorCode(error) !== 'EPERM') throw error;
  }
}
