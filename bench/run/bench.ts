import type { ImageStore } from '../images/image-store';
import type { DebianPairs } from '../images/debian-pairs';
import type { MeasurementKey } from './recorder';
import type { Tools } from '../tool/tools';

/** What a benchmark works with. */
export interface BenchContext {
  readonly quick: boolean;
  /** How often each thing is measured. */
  readonly runs: number;
  readonly tools: Tools;
  readonly store: ImageStore;
  readonly pairs: DebianPairs;
  /** Names of the image pairs to measure. */
  readonly pairNames: readonly string[];
  /** For what is made anew and kept for later runs: a directory of the benchmark's own in the cache. */
  readonly workDirectory: string;
  readonly signal: AbortSignal;
  /** Says what is being done. */
  step(text: string): void;
  record(key: Omit<MeasurementKey, 'bench'>, value: number): void;
  /** Something cannot be measured here. */
  skip(what: string, why: string): void;
  /** Names a program that took part, or the content of an image. */
  version(name: string, version: string): void;
}

/** One benchmark: `--only` names it. */
export interface Bench {
  readonly name: string;
  readonly title: string;
  /** How its figures are taken. */
  readonly method: string;
  /** True: too long for a quick run, unless it is named. */
  readonly longOnly?: boolean;
  run(context: BenchContext): Promise<void>;
}
