import { setTimeout as pause } from 'node:timers/promises';

const STEP_MS = 5;

/** Waits until a condition holds, for what happens soon but not at once. Throws, with what it was about, after `limitMs`. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limitMs = 10_000,
): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`still not after ${limitMs} ms: ${what}`);
    await pause(STEP_MS);
  }
}
