import { setTimeout as pause } from 'node:timers/promises';

/** How long other requests may wait for work that goes through all files of an image or all inodes (ms). */
const SLICE_MS = 2;

/** Between two slices (ms). The thread may run in real time, where only who waits for something lets ordinary threads run. */
const PAUSE_MS = 1;

/** Lets others come: other work of this thread, and other threads. */
export async function breathe(): Promise<void> {
  await pause(PAUSE_MS);
}

/** A piece of long work on the thread that serves the mounts: when it is over, others are to come before the next. */
export class Slice {
  #start = performance.now();

  get over(): boolean {
    return performance.now() - this.#start > SLICE_MS;
  }

  /** Lets others come, and begins the next. */
  async rest(by: () => Promise<unknown> = breathe): Promise<void> {
    await by();
    this.#start = performance.now();
  }
}
