import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the kernel holds, in bytes (/proc/meminfo). */
export interface KernelMemory {
  /** Pages of files, those of tmpfs and shared memory not counted. */
  readonly cached: number;
  readonly slab: number;
}

export async function kernelMemory(): Promise<KernelMemory> {
  const text = await readFile('/proc/meminfo', 'utf8');
  const field = (name: string): number => {
    const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
    if (kibibytes === undefined) throw new Error(`/proc/meminfo holds no line "${name}"`);
    return Number(kibibytes) * 1024;
  };
  return { cached: field('Cached') - field('Shmem'), slab: field('Slab') };
}

const INTERVAL = 100;
const TOLERANCE = 128 << 10;
const SETTLE_LIMIT = 5_000;

/** The same once the page cache holds still, or after a limit. */
export async function settledKernelMemory(): Promise<KernelMemory> {
  const deadline = performance.now() + SETTLE_LIMIT;
  let last = await kernelMemory();
  for (;;) {
    await sleep(INTERVAL);
    const now = await kernelMemory();
    if (Math.abs(now.cached - last.cached) <= TOLERANCE || performance.now() > deadline) return now;
    last = now;
  }
}
