import * as z from 'zod';

/** Version of the file format: readers refuse others. */
export const RESULT_SCHEMA = 2;

export const UNITS = ['bytes', 'seconds', 'bytes/s', '1/s', 'count', 'fraction'] as const;

/** What one figure was taken of, and its values in the order of the runs. */
export const measurementSchema = z.strictObject({
  /** Name of the benchmark. */
  bench: z.string().min(1),
  /** What was done, for example `redis` or `find -ls, cold`: measurements with the same case compare. */
  case: z.string().min(1),
  /** Whom it was done with. */
  subject: z.string().min(1),
  /** What was counted. */
  metric: z.string().min(1),
  unit: z.enum(UNITS),
  /** Whether a smaller or a greater figure is the better one; `neither` for what only describes. */
  better: z.enum(['less', 'more', 'neither']),
  /** Only on curves: how many of what the case grows by. */
  x: z.number().positive().optional(),
  values: z.array(z.number()).min(1),
});

export const skipSchema = z.strictObject({
  bench: z.string(),
  /** The subject, or the case. */
  what: z.string(),
  why: z.string(),
});

export const resultSchema = z.strictObject({
  schema: z.literal(RESULT_SCHEMA),
  /** When the run began and ended, ISO 8601; one that was continued began when its first part did. */
  started: z.iso.datetime(),
  ended: z.iso.datetime(),
  quick: z.boolean(),
  /** Runs of each measurement. */
  runs: z.int().positive(),
  machine: z.strictObject({
    processor: z.string(),
    processors: z.int().positive(),
    memoryBytes: z.number().positive(),
    kernel: z.string(),
    distribution: z.string(),
    /** Of the file system that images and snapshots are on. */
    fileSystem: z.string(),
    /** Load of one minute before the run began: what else the machine did. */
    load: z.number(),
    readAheadKib: z.number(),
  }),
  /** Versions of everything that took part, by name. */
  versions: z.record(z.string(), z.string()),
  /** What the benchmarks are, in the order of the run. */
  benches: z.array(
    z.strictObject({
      name: z.string(),
      title: z.string(),
      /** How the figures are taken, in a sentence or two. */
      method: z.string(),
      started: z.iso.datetime(),
      seconds: z.number(),
      /** Of this program, by git; parts of a run that was continued may be of several. */
      revision: z.string(),
    }),
  ),
  measurements: z.array(measurementSchema),
  /** What was left out, and why. */
  skipped: z.array(skipSchema),
});

export type Measurement = Readonly<z.infer<typeof measurementSchema>>;
export type Unit = Measurement['unit'];
export type Skip = Readonly<z.infer<typeof skipSchema>>;
export type Result = Readonly<z.infer<typeof resultSchema>>;
export type Machine = Result['machine'];
