import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Memory of processes, in bytes. */
export interface ProcessMemory {
  /** Pages that are mapped, files included. */
  readonly rss: number;
  /** Each page divided by the number of processes that map it. */
  readonly pss: number;
  /** Pages that are no file's: what is not in the page cache. */
  readonly anonymous: number;
}

/** Sums over processes. One that has ended counts nothing. */
export async function processMemory(pids: readonly number[]): Promise<ProcessMemory> {
  const each = await Promise.all(pids.map(ofOne));
  const sum = (field: keyof ProcessMemory): number => each.reduce((total, one) => total + one[field], 0);
  return { rss: sum('rss'), pss: sum('pss'), anonymous: sum('anonymous') };
}

async function ofOne(pid: number): Promise<ProcessMemory> {
  // proc(5): one sum of all that smaps tells (Linux 4.14).
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  const field = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return { rss: field('Rss'), pss: field('Pss'), anonymous: field('Pss_Anon') };
}

/** The most that a process has ever had, in bytes (VmHWM). 0 where it has ended. */
export async function peakMemory(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}

/** Forgets the peak, so that the next one is of what follows (proc(5), clear_refs). */
export async function resetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5');
}

/** Processor time of processes so far, in seconds, user and system; children that have ended are counted with them. */
export async function processorSeconds(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      // Fields 14 and 15 of proc(5), in ticks of USER_HZ, which is 100 on every architecture that Linux runs Node on.
      return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100;
    }),
  );
  return each.reduce((total, seconds) => total + seconds, 0);
}

/** Looks at the memory of processes all the time and keeps the greatest sum. */
export class MemoryWatch implements AsyncDisposable {
  #greatest = 0;
  #ending = false;
  readonly #done: Promise<void>;

  constructor(
    private readonly pids: () => Promise<readonly number[]>,
    interval = 50,
  ) {
    this.#done = (async () => {
      while (!this.#ending) {
        const { rss } = await processMemory(await this.pids());
        this.#greatest = Math.max(this.#greatest, rss);
        await sleep(interval);
      }
    })();
  }

  get greatest(): number {
    return this.#greatest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true;
    await this.#done;
  }
}
