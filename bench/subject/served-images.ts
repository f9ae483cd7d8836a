import { readFile } from 'node:fs/promises';
import { readMountTable } from '../../linux/mount-table';
import { UMOUNT, unmount } from '../../linux/mount';
import { BackgroundProcess } from '../../scripts/process/background-process';
import { descendantsOf, killProcesses } from '../../scripts/process/process-table';
import type { MountedImages } from './mount-subject';

/** Attaching a million files takes a while. */
const START_LIMIT = 300_000;
const STOP_PATIENCE = 20_000;

export interface Server {
  readonly program: string;
  readonly words: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** The mounts that it makes and that show in the mount table. */
  readonly targets: readonly string[];
  /** A line that it prints once it serves; where it is left out, that its mounts are there is enough. */
  readonly announces?: string;
}

/** Images that programs in user space serve. */
export class ServedImages implements MountedImages {
  readonly #processes: BackgroundProcess[] = [];
  readonly #targets: string[] = [];

  private constructor(readonly roots: readonly string[]) {}

  /** Starts every server and waits until its mounts are there. `log` is a file for what they print. */
  static async start(
    servers: readonly Server[],
    roots: readonly string[],
    log: string,
  ): Promise<ServedImages> {
    const served = new ServedImages(roots);
    try {
      for (const { program, words, environment = {}, targets, announces } of servers) {
        served.#targets.push(...targets);
        const child = BackgroundProcess.start({ program, arguments: words, logFile: log, environment });
        served.#processes.push(child);
        const mounted = async (): Promise<boolean> => {
          if (announces !== undefined) {
            return (await readFile(log, 'utf8')).split('\n').includes(announces);
          }
          const table = new Set((await readMountTable()).map(({ target }) => target));
          return targets.every((target) => table.has(target));
        };
        await child.waitUntil(mounted, `nothing is mounted at ${targets.join(' ')}`, START_LIMIT);
      }
      return served;
    } catch (error) {
      await served[Symbol.asyncDispose]();
      throw error;
    }
  }

  async pids(): Promise<readonly number[]> {
    const running = this.#processes.filter((child) => child.running).map(({ pid }) => pid);
    const below = await Promise.all(running.map((pid) => descendantsOf(pid)));
    return [...running, ...below.flat()];
  }

  /** Servers unmount when they are told to end; what is left after that is unmounted and killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const pids = await this.pids();
    for (const child of this.#processes) await child.stop(STOP_PATIENCE);
    const left = await killProcesses(pids, STOP_PATIENCE);
    const table = new Set((await readMountTable()).map(({ target }) => target));
    for (const target of this.#targets) if (table.has(target)) unmount(target, UMOUNT.DETACH);
    if (left.length > 0) throw new Error(`servers outlive SIGKILL: ${left.join(' ')}`);
  }
}
