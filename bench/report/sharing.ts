import type { Result } from '../result/result';
import { summarize } from '../result/statistics';

/** What sharing saves with one pair of images: the columns of the kernel series. Bytes and fractions. */
export interface SharingRow {
  readonly pair: string;
  readonly unshared: number;
  readonly shared: number;
  readonly reduction: number;
  /** What whole-file content sets, where it is known. */
  readonly limit: number | undefined;
  /** Share of what could be saved at all that is saved. */
  readonly reached: number | undefined;
}

/** Rows of a memory benchmark, of the page cache or of the sum with everything that it costs. */
export function sharingRows(
  { measurements }: Pick<Result, 'measurements'>,
  bench: string,
  metric: 'page cache' | 'sum',
): SharingRow[] {
  const ofMetric = measurements.filter((found) => found.bench === bench && found.metric === metric);
  const pairs = [...new Set(ofMetric.map((found) => found.case))];
  return pairs.flatMap((pair) => {
    const median = (subject: string): number | undefined => {
      const found = ofMetric.find((one) => one.case === pair && one.subject === subject);
      return found && summarize(found.values).median;
    };
    const unshared = median('ishare, no domain');
    const shared = median('ishare');
    if (unshared === undefined || shared === undefined) return [];
    const limit = median('limit');
    return [
      {
        ...{ pair, unshared, shared, limit },
        reduction: 1 - shared / unshared,
        reached: limit === undefined ? undefined : (unshared - shared) / (unshared - limit),
      },
    ];
  });
}
