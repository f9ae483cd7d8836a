import type { Measurement, Result, Unit } from '../result/result';
import { summarize, type Summary } from '../result/statistics';
import { OURS } from '../subject/mount-subjects';
import { grouped } from './grouped';

export interface Cell extends Summary {
  /** The median as a multiple of ours in the same row; undefined where ours is missing, zero or this very one. */
  readonly ratio: number | undefined;
  /** Whether nobody in the row is better. */
  readonly best: boolean;
}

export interface Row {
  readonly case: string;
  readonly cells: ReadonlyMap<string, Cell>;
}

/** One metric of one benchmark: cases below each other, subjects side by side. */
export interface Comparison {
  readonly bench: string;
  readonly metric: string;
  readonly unit: Unit;
  readonly better: Measurement['better'];
  readonly subjects: readonly string[];
  readonly rows: readonly Row[];
}

/** Subjects that are no competitors: what follows from the files themselves. */
const YARDSTICKS: ReadonlySet<string> = new Set(['limit', 'all files']);

/** Tables of all that is no curve, in the order of the run. */
export function comparisons({ measurements }: Pick<Result, 'measurements'>): Comparison[] {
  const tables = grouped(
    measurements.filter(({ x }) => x === undefined),
    ({ bench, metric, unit }) => JSON.stringify([bench, metric, unit]),
  );
  return [...tables.values()].map((found) => {
    const [{ bench, metric, unit, better }] = found;
    const cases = grouped(found, (measurement) => measurement.case);
    return {
      ...{ bench, metric, unit, better },
      subjects: [...new Set(found.map(({ subject }) => subject))],
      rows: [...cases].map(([name, ofCase]) => row(name, ofCase, better)),
    };
  });
}

function row(name: string, measurements: readonly Measurement[], better: Measurement['better']): Row {
  const summaries = new Map(measurements.map(({ subject, values }) => [subject, summarize(values)]));
  const ours = summaries.get(OURS)?.median;
  const competing = [...summaries].filter(([subject]) => !YARDSTICKS.has(subject));
  const medians = competing.map(([, { median }]) => median);
  const best = better === 'less' ? Math.min(...medians) : Math.max(...medians);
  const cells = [...summaries].map(([subject, summary]): [string, Cell] => {
    const ratio = ours === undefined || ours === 0 || subject === OURS ? undefined : summary.median / ours;
    const wins = better !== 'neither' && !YARDSTICKS.has(subject) && medians.length > 1;
    return [subject, { ...summary, ratio, best: wins && summary.median === best }];
  });
  return { case: name, cells: new Map(cells) };
}
