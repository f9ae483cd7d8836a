import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long other requests may wait for work that goes through all files of an image or all inodes (ms). */
const SLICE_MS = 2;

/** A piece of long work on the thread that serves the mounts: when it is over, others are to come before the next. */
export class Slice {
  #start = performance.now();

  get over(): boolean {
    return performance.now() - this.#start > SLICE_MS;
  }

  /** Lets others come, and begins the next. */
  async rest(breathe: () => Promise<unknown> = nextTurn): Promise<void> {
    await breathe();
    this.#start = performance.now();
  }
}
