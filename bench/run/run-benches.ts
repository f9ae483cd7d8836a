import { setMaxListeners } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { version } from '../../cmd/version';
import { tryLockFile } from '../../linux/file-lock';
import { runCommand } from '../../scripts/process/command';
import { DebianPairs, PAIR_NAMES, QUICK_PAIRS } from '../images/debian-pairs';
import { ImageStore } from '../images/image-store';
import { RESULT_SCHEMA, resultSchema, type Result } from '../result/result';
import { ABSENT_PEERS } from '../subject/mount-subjects';
import { Tools } from '../tool/tools';
import type { Bench } from './bench';
import { keptOf } from './continued-run';
import { EqualReadAhead } from './equal-read-ahead';
import { describeMachine } from './machine';
import { reasonOf } from './reason';
import { Recorder } from './recorder';

/** Read-ahead of everything while it is measured: the kernel's own default, and the daemon's. */
const READ_AHEAD_KIB = 128;

/** One run a machine: two would drop each other's caches, and the second would take the first one's read-ahead for the machine's. */
const LOCK = join(tmpdir(), 'ishare-bench.lock');

/** Another run is under way on this machine. */
export class AlreadyRunningError extends Error {
  override readonly name = 'AlreadyRunningError';
}

export interface RunOptions {
  readonly benches: readonly Bench[];
  readonly quick: boolean;
  readonly runs: number;
  /** Names of image pairs; where left out, all of them, or the smallest ones in quick runs. */
  readonly pairs?: readonly string[] | undefined;
  /** Tools, trees and images that later runs find again. */
  readonly cacheDirectory: string;
  readonly signal: AbortSignal;
  readonly onStep: (text: string) => void;
  /** A run to go on with: what it has of other benchmarks is kept. */
  readonly earlier?: Result | undefined;
  /** Is given the whole result after each benchmark, and waited for. */
  readonly onResult: (result: Result) => Promise<void>;
}

/**
 * Runs benchmarks one after the other. One that fails is noted as skipped, and the others go on. Throws
 * NotToBeContinuedError where the earlier run is of another kind or machine.
 */
export async function runBenches(options: RunOptions): Promise<void> {
  const { benches, quick, runs, cacheDirectory, signal, onStep, onResult } = options;
  // Every program that runs listens to it, a hundred at a time.
  setMaxListeners(0, signal);
  const started = new Date().toISOString();
  await mkdir(cacheDirectory, { recursive: true });
  using lock = tryLockFile(LOCK);
  if (lock === undefined) throw new AlreadyRunningError('another run of the benchmarks is under way');
  const machine = await describeMachine(cacheDirectory, READ_AHEAD_KIB);
  const earlier =
    options.earlier &&
    keptOf(
      options.earlier,
      { quick, runs, machine },
      benches.map(({ name }) => name),
    );
  const recorder = new Recorder(earlier);
  const versions = new Map<string, string>([
    ...Object.entries(earlier?.versions ?? {}),
    ['ishare-snapshotter', version],
    ['node', process.version],
  ]);
  const revision = await runCommand('git', ['describe', '--always', '--dirty'], {
    directory: __dirname,
  }).then(
    ({ stdout }) => stdout.trim(),
    () => 'unknown',
  );
  const tools = new Tools(join(cacheDirectory, 'tools'));
  await using store = new ImageStore(cacheDirectory);
  await using _readAhead = await EqualReadAhead.set(cacheDirectory, READ_AHEAD_KIB);
  const done = [...(earlier?.benches ?? [])];
  for (const [what, why] of Object.entries(ABSENT_PEERS)) recorder.skip({ bench: 'all', what, why });
  for (const bench of benches) {
    const { name, title, method } = bench;
    const began = new Date().toISOString();
    const start = performance.now();
    const step = (text: string): void => onStep(`${name}: ${text}`);
    const workDirectory = join(cacheDirectory, 'work', name);
    await mkdir(workDirectory, { recursive: true });
    try {
      await bench.run({
        ...{ quick, runs, tools, store, signal, step, workDirectory },
        pairNames: options.pairs ?? (quick ? QUICK_PAIRS : PAIR_NAMES),
        pairs: new DebianPairs(cacheDirectory, tools, signal, step),
        record: (key, value) => recorder.add({ bench: name, ...key }, value),
        skip: (what, why) => {
          recorder.skip({ bench: name, what, why });
          step(`left out: ${what}: ${why}`);
        },
        version: (program, found) => versions.set(program, found),
      });
    } catch (error) {
      signal.throwIfAborted();
      recorder.skip({ bench: name, what: 'the rest of it', why: reasonOf(error) });
      onStep(`${name}: failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
    done.push({ name, title, method, started: began, seconds: (performance.now() - start) / 1000, revision });
    await onResult(
      resultSchema.parse({
        schema: RESULT_SCHEMA,
        started: earlier?.started ?? started,
        ended: new Date().toISOString(),
        ...{ quick, runs, machine },
        versions: Object.fromEntries([...versions].sort()),
        benches: done,
        measurements: recorder.measurements,
        skipped: recorder.skipped,
      }),
    );
  }
}
