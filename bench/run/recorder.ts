import type { Measurement, Skip } from '../result/result';

export type MeasurementKey = Omit<Measurement, 'values'>;

const NOTHING = { measurements: [], skipped: [] };

/** Collects values as runs bring them, and keeps them in the order in which their measurements first came. */
export class Recorder {
  readonly #measurements = new Map<string, MeasurementKey & { readonly values: number[] }>();
  readonly #skipped = new Map<string, Skip>();

  /** @param known figures to go on with. */
  constructor(
    known: { readonly measurements: readonly Measurement[]; readonly skipped: readonly Skip[] } = NOTHING,
  ) {
    for (const { values, ...key } of known.measurements) for (const value of values) this.add(key, value);
    for (const skip of known.skipped) this.skip(skip);
  }

  add(key: MeasurementKey, value: number): void {
    const name = JSON.stringify([key.bench, key.case, key.subject, key.metric, key.x]);
    const found = this.#measurements.get(name);
    if (found === undefined) this.#measurements.set(name, { ...key, values: [value] });
    else found.values.push(value);
  }

  skip(skip: Skip): void {
    this.#skipped.set(JSON.stringify([skip.bench, skip.what]), skip);
  }

  get measurements(): readonly Measurement[] {
    return [...this.#measurements.values()];
  }

  get skipped(): readonly Skip[] {
    return [...this.#skipped.values()];
  }
}
