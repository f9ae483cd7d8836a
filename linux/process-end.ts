import { setTimeout as delay } from 'node:timers/promises';
import { startTimeOf } from './process-stat';

/** How often a process is looked at (ms). */
const PACE_MS = 10;

/** One process, told from a later one of the same number by when it started. */
export class WatchedProcess {
  private constructor(
    readonly pid: number,
    private readonly started: string,
  ) {}

  /** Undefined where there is no such process, or it has ended and only its parent has not noticed. */
  static async find(pid: number): Promise<WatchedProcess | undefined> {
    const started = await startTimeOf(pid);
    return started === undefined ? undefined : new WatchedProcess(pid, started);
  }

  /** Waits for its end; false when `limit` milliseconds pass first. */
  async ends(limit: number): Promise<boolean> {
    const deadline = performance.now() + limit;
    while ((await startTimeOf(this.pid)) === this.started) {
      if (performance.now() >= deadline) return false;
      await delay(PACE_MS);
    }
    return true;
  }
}
