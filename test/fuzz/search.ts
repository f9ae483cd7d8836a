import { inspect } from 'node:util';
import fc from 'fast-check';
import { observed } from '../../linux/testing/whole-trials';
import { LONG } from '../../linux/testing/long-trials';

/**
 * The seed of what is searched for at random: `ISHARE_TEST_SEED=N` with the seed that a failure prints repeats it. The
 * long tier takes another each time.
 */
const SEED = Number(process.env['ISHARE_TEST_SEED'] ?? (LONG ? Date.now() % 2 ** 31 : 1));

/**
 * Tries as much as there is time for in each tier (seconds), always in the same order. Throws what it has found. When it
 * returns, no trial is under way any more.
 */
export async function search<Case>(
  property: fc.IAsyncProperty<Case>,
  seconds: { readonly short: number; readonly long: number; readonly trials?: number },
): Promise<void> {
  const limitMs = (LONG ? seconds.long : seconds.short) * 1000;
  const watched = observed(property);
  const { seed, counterexample, counterexamplePath, errorInstance } = await fc.check(watched.property, {
    seed: SEED,
    numRuns: seconds.trials ?? Number.MAX_SAFE_INTEGER,
    plugins: [fc.interruptAfterTimeLimit(limitMs)],
  });
  // Where something was found, that is told, whatever the last trial has found.
  if (counterexample === null) {
    await watched.settled();
    return;
  }
  await watched.settled().catch(() => undefined);
  // Told in short: cases may have megabytes.
  const found = inspect(counterexample, { depth: 8, maxStringLength: 100, maxArrayLength: 40 });
  const message = `ISHARE_TEST_SEED=${seed} finds this, path ${counterexamplePath}: ${found.slice(0, 8000)}`;
  throw new Error(message, { cause: errorInstance });
}
