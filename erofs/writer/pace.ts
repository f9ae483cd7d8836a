import { setImmediate } from 'node:timers/promises';

/** How long work may go on without a look at the event loop (ms). */
const QUANTUM = 40;

/**
 * Lets long synchronous work take breaths, so that its thread hears of an abort:
 * `if (pace.due()) await pace.breathe();` in every loop that may be long.
 */
export class Pace {
  #next = performance.now() + QUANTUM;

  constructor(private readonly signal: AbortSignal | undefined) {}

  due(): boolean {
    return performance.now() >= this.#next;
  }

  /** Throws the signal's reason once it is aborted. */
  async breathe(): Promise<void> {
    await setImmediate();
    this.signal?.throwIfAborted();
    this.#next = performance.now() + QUANTUM;
  }
}
