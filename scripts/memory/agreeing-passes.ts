/** A figure that was measured several times. */
export interface Agreement {
  /** The mean of the two passes that agree best. */
  readonly value: number;
  /** By how much these two differ, as a fraction of the greater. */
  readonly difference: number;
}

/**
 * Repeats a measurement that other programs on the machine can blur in both directions, until two passes agree within
 * `tolerance` (a fraction), `limit` times at the most. On a quiet machine that is twice.
 */
export async function agreeingPasses(
  pass: () => Promise<number>,
  tolerance: number,
  limit: number,
): Promise<Agreement> {
  const values: number[] = [];
  let best: Agreement | undefined;
  while (values.length < limit) {
    const value = await pass();
    for (const other of values) {
      const difference = Math.abs(value - other) / Math.max(Math.abs(value), Math.abs(other), 1);
      if (best === undefined || difference < best.difference)
        best = { value: (value + other) / 2, difference };
    }
    values.push(value);
    if (best !== undefined && best.difference <= tolerance) break;
  }
  if (best === undefined) throw new Error('two passes at least are needed to agree');
  return best;
}
