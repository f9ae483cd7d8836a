/** Several values of one thing: the middle one, and how far the others lie. */
export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly greatest: number;
  readonly count: number;
}

/** Throws RangeError where there is nothing to sum up. */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((left, right) => left - right);
  const [least] = sorted;
  const greatest = sorted.at(-1);
  if (least === undefined || greatest === undefined) throw new RangeError('a summary of no values');
  return { median: quantile(sorted, 0.5), least, greatest, count: sorted.length };
}

/** A quantile (0 to 1) of values in ascending order, between neighbours by straight lines. */
export function quantile(sorted: readonly number[], fraction: number): number {
  const place = (sorted.length - 1) * fraction;
  const lower = sorted[Math.floor(place)];
  const upper = sorted[Math.ceil(place)];
  if (lower === undefined || upper === undefined) throw new RangeError('a quantile of no values');
  return lower + (upper - lower) * (place - Math.floor(place));
}

/** Like `quantile`, of values in any order. */
export function quantileOf(values: readonly number[], fraction: number): number {
  return quantile(
    [...values].sort((left, right) => left - right),
    fraction,
  );
}
