import { readFile } from 'node:fs/promises';

const ATTEMPTS = 4;

/** Somebody else dropped the machine's caches again and again. */
export class DisturbedError extends Error {
  override readonly name = 'DisturbedError';
}

/**
 * Does a measurement that begins with dropping caches once more where somebody else has dropped them meanwhile, which the
 * kernel counts (`drop_pagecache` of /proc/vmstat, the measurement's own one included).
 */
export async function undisturbed<Value>(
  measurement: () => Promise<Value>,
  countDrops: () => Promise<number> = drops,
): Promise<Value> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const before = await countDrops();
    const value = await measurement();
    if ((await countDrops()) - before === 1) return value;
  }
  throw new DisturbedError(`caches were dropped by somebody else in each of ${ATTEMPTS} attempts`);
}

async function drops(): Promise<number> {
  return Number(/^drop_pagecache (\d+)$/m.exec(await readFile('/proc/vmstat', 'utf8'))?.[1] ?? 0);
}
