import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Names the file to which the daemon's threads write. */
export const HEAP_FILE = 'ISHARE_SOAK_HEAPS';

/** What makes a daemon collect when it is asked to. */
export function collectingEnvironment(file: string): Record<string, string> {
  return { NODE_OPTIONS: `--require ${join(__dirname, 'collect-on-signal.js')}`, [HEAP_FILE]: file };
}

/** A daemon's memory once its garbage is collected (bytes). */
export interface CollectedMemory {
  /** Anonymous pages of the process: with what is free and was not given back, since something stands beside it. */
  readonly anonymous: number;
  /**
   * What lives in the heaps of the two threads that stay, and what the C library has given out. Without the code that V8 has
   * compiled: there is more of it for hours, in ever smaller steps, and never more than the program asks for.
   */
  readonly live: number;
  readonly code: number;
  readonly parts: LiveParts;
}

export interface LiveParts {
  readonly mainHeap: number;
  readonly servingHeap: number;
  readonly allocated: number;
}

const LIMIT_MS = 20_000;
/** The main one and that of the mounts, which is the first that it starts. The others come and go. */
const THREADS: readonly string[] = ['0', '1'];

/** Collects and measures. Nothing else may be asked of the daemon meanwhile. */
export async function collectedMemory(pid: number, file: string): Promise<CollectedMemory> {
  // What one thread frees in the first pass another one may count too early.
  await collect(pid, file);
  const { code, ...parts } = await collect(pid, file);
  const live = parts.mainHeap + parts.servingHeap + parts.allocated;
  return { anonymous: await anonymousBytes(pid), live, code, parts };
}

async function collect(pid: number, file: string): Promise<LiveParts & { readonly code: number }> {
  await rm(file, { force: true });
  process.kill(pid, 'SIGUSR2');
  const deadline = Date.now() + LIMIT_MS;
  for (;;) {
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').map((line) => line.split(' '));
    const told = lines.filter(([, thread = '']) => THREADS.includes(thread));
    if (told.length === THREADS.length) {
      const [[mainHeap = 0, mainCode = 0, allocated = 0], [servingHeap = 0, servingCode = 0]] = THREADS.map(
        (id) => told.flatMap(([, thread, ...bytes]) => (thread === id ? bytes.map(Number) : [])),
      ) as [number[], number[]];
      return { mainHeap, servingHeap, allocated, code: mainCode + servingCode };
    }
    if (Date.now() > deadline) throw new Error(`${told.length} threads of process ${pid} have collected`);
    await sleep(50);
  }
}

/** Documentation/filesystems/proc.rst, smaps_rollup. */
async function anonymousBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Anonymous: +(\d+) kB$/m.exec(text)?.[1] ?? NaN) * 1024;
}
