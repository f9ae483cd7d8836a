import { powerLaw, type PowerLaw } from '../result/power-law';
import type { Result, Unit } from '../result/result';
import { summarize, type Summary } from '../result/statistics';
import { grouped } from './grouped';

export interface CurvePoint extends Summary {
  readonly x: number;
}

export interface Curve {
  readonly subject: string;
  readonly points: readonly CurvePoint[];
  /** What the median grows with; undefined for too few points. */
  readonly law: PowerLaw | undefined;
}

/** Curves of one metric over one number. */
export interface CurveSet {
  readonly bench: string;
  /** What the number counts. */
  readonly over: string;
  readonly metric: string;
  readonly unit: Unit;
  readonly curves: readonly Curve[];
}

export function curveSets({ measurements }: Pick<Result, 'measurements'>): CurveSet[] {
  const sets = grouped(
    measurements.filter(({ x }) => x !== undefined),
    ({ bench, case: over, metric, unit }) => JSON.stringify([bench, over, metric, unit]),
  );
  return [...sets.values()].map((found) => {
    const [first] = found;
    const subjects = grouped(found, ({ subject }) => subject);
    const curves = [...subjects].map(([subject, ofSubject]): Curve => {
      const points = ofSubject
        .map(({ x = NaN, values }) => ({ x, ...summarize(values) }))
        .sort((left, right) => left.x - right.x);
      return { subject, points, law: powerLaw(points.map(({ x, median }) => ({ x, y: median }))) };
    });
    return { bench: first.bench, over: first.case, metric: first.metric, unit: first.unit, curves };
  });
}
