import { setTimeout as sleep } from 'node:timers/promises';
import { cachedBytes, readAllFiles, settledCachedBytes } from '../../scripts/memory/page-cache';

/** Two passes that differ by less than this part of the larger one were not disturbed. */
const AGREEMENT = 0.002;
/** So much the closest two of many may differ on a busy machine. */
const BUSY_AGREEMENT = 0.01;
const BUSY_PASSES = 10;
/** A pass during which others add or drop more than these bytes in a moment of waiting counts for nothing. */
const DISTURBANCE = 512 << 10;
const MOMENT = 150;
const TIME_LIMIT = 100_000;

/** Mounted trees of which the page cache holds nothing yet. */
export interface FreshTrees extends AsyncDisposable {
  readonly roots: readonly string[];
}

/**
 * How many bytes the machine's `Cached` grows by while every file of some trees is read once. Each pass has fresh trees
 * made for it: /proc/sys/vm/drop_caches would do as well, but then all programs of the machine read back what they lost.
 * `Cached` counts the pages of all of them, so a pass is as short as can be, the machine must hold still before and
 * after it, and another pass must agree with it.
 *
 * @throws Error when no two passes agree: then other programs are too busy for the question.
 */
export async function growthByReading(freshTrees: () => Promise<FreshTrees>): Promise<number> {
  // Code and libraries that reading itself needs are in memory after this.
  await pass(freshTrees);
  const passes: number[] = [];
  const deadline = Date.now() + TIME_LIMIT;
  let closest = { difference: Infinity, mean: 0 };
  while (passes.length < BUSY_PASSES && Date.now() < deadline && closest.difference > AGREEMENT) {
    const growth = await pass(freshTrees);
    if (growth === undefined) continue;
    for (const other of passes) {
      const difference = Math.abs(growth - other) / Math.max(growth, other);
      if (difference < closest.difference) closest = { difference, mean: (growth + other) / 2 };
    }
    passes.push(growth);
  }
  if (closest.difference > BUSY_AGREEMENT) {
    throw new Error(`the page cache grew differently each time, by ${passes.join(', ')} bytes`);
  }
  return closest.mean;
}

/** One pass, or undefined where the machine did not hold still. */
async function pass(freshTrees: () => Promise<FreshTrees>): Promise<number | undefined> {
  await using trees = await freshTrees();
  await settledCachedBytes();
  const before = await quietCachedBytes();
  if (before === undefined) return undefined;
  for (const root of trees.roots) await readAllFiles(root);
  const after = await quietCachedBytes();
  return after === undefined ? undefined : after - before;
}

/** `Cached` now, or undefined where it moves. */
async function quietCachedBytes(): Promise<number | undefined> {
  const now = await cachedBytes();
  await sleep(MOMENT);
  return Math.abs((await cachedBytes()) - now) > DISTURBANCE ? undefined : now;
}
