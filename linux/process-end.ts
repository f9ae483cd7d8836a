import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from './errno';

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
    const started = await startOf(pid);
    return started === undefined ? undefined : new WatchedProcess(pid, started);
  }

  /** Waits for its end; false when `limit` milliseconds pass first. */
  async ends(limit: number): Promise<boolean> {
    const deadline = performance.now() + limit;
    while ((await startOf(this.pid)) === this.started) {
      if (performance.now() >= deadline) return false;
      await delay(PACE_MS);
    }
    return true;
  }
}

/** Start time in clock ticks since boot (proc_pid_stat(5), fields 3 and 22). */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The program's name stands in parentheses, and may hold some itself.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
