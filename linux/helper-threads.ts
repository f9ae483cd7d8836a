import { setPriority } from 'node:os';
import { threadIds } from './threads';

/** Nice value of threads that others must not wait for. */
const BACKGROUND = 10;

/**
 * Lets the other threads of this process run only where the calling one, and other processes, leave time. To be called on
 * the main thread of a program before anything asynchronous was begun: until then the others are those of V8, which
 * optimise code. Threads that libuv starts later are not meant. A nice value belongs to a thread on Linux (setpriority(2)).
 */
export function lowerHelperThreads(): void {
  for (const thread of threadIds()) {
    if (thread !== process.pid) lower(thread);
  }
}

function lower(thread: number): void {
  try {
    setPriority(thread, BACKGROUND);
  } catch {
    // It has ended, or is lower still and may not be raised: setpriority(2) fails for nothing else here.
  }
}
