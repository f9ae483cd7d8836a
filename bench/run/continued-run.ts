import { isDeepStrictEqual } from 'node:util';
import type { Result } from '../result/result';

/** What was measured elsewhere, or otherwise, cannot be gone on with. */
export class NotToBeContinuedError extends Error {
  override readonly name = 'NotToBeContinuedError';
}

type Kind = Pick<Result, 'quick' | 'runs' | 'machine'>;

/**
 * What is kept of an earlier run that is gone on with: all but what is measured again, by name. Throws NotToBeContinuedError
 * where it was of another kind or machine; how busy the machine was does not matter.
 */
export function keptOf(earlier: Result, now: Kind, again: readonly string[]): Result {
  const [before, after] = [kindOf(earlier), kindOf(now)];
  if (!isDeepStrictEqual(before, after)) {
    throw new NotToBeContinuedError(
      `the earlier run cannot be continued: it was ${JSON.stringify(before)}, and this would be ${JSON.stringify(after)}`,
    );
  }
  const kept = (bench: string): boolean => !again.includes(bench);
  return {
    ...earlier,
    benches: earlier.benches.filter(({ name }) => kept(name)),
    measurements: earlier.measurements.filter(({ bench }) => kept(bench)),
    skipped: earlier.skipped.filter(({ bench }) => kept(bench)),
  };
}

function kindOf({ quick, runs, machine }: Kind): Kind {
  return { quick, runs, machine: { ...machine, load: 0 } };
}
