import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { Interruption, InterruptedError } from '../scripts/process/interruption';
import { PAIR_NAMES } from './images/debian-pairs';
import { htmlReport } from './report/html-report';
import { withTables } from './report/markdown-tables';
import { drawPictures } from './report/pictures';
import { resultSchema, type Result } from './result/result';
import type { Bench } from './run/bench';
import { runBenches } from './run/run-benches';
import { BENCHES } from './suite/benches';
import { Tools } from './tool/tools';

interface Flags {
  readonly only?: readonly string[];
  readonly pairs?: readonly string[];
  readonly quick: boolean;
  readonly runs?: number;
  readonly list: boolean;
  readonly out: string;
  readonly cache: string;
  readonly pictures: boolean;
  readonly markdown?: string;
  readonly from?: string;
  readonly continue: boolean;
}

const RUNS = 5;
const QUICK_RUNS = 2;

function flags(): Flags {
  return new Command('bench')
    .description(
      'Measures this snapshotter beside its peers, and writes the figures as JSON and as a report.',
    )
    .option('--only <name...>', 'only these benchmarks')
    .option('--pairs <name...>', `only these pairs of images: ${PAIR_NAMES.join(', ')}`)
    .option('--quick', 'smaller and fewer: under ten minutes', false)
    .option('--runs <number>', `of each measurement (${RUNS}, quick: ${QUICK_RUNS})`, positive)
    .option('--list', 'print the names of the benchmarks', false)
    .option('--out <directory>', 'for the results', 'bench-results')
    .option('--pictures', 'draw the main charts as PNG too, with Chromium', false)
    .option('--markdown <file>', 'write the tables between the markers of a Markdown file too')
    .option(
      '--continue',
      'keep what --out holds, and measure what is missing there; what --only names is measured again',
      false,
    )
    .option('--from <results>', 'measure nothing: write the reports of a results.json')
    .option(
      '--cache <directory>',
      'tools and images that later runs find again (ISHARE_BENCH_CACHE)',
      process.env['ISHARE_BENCH_CACHE'] ?? '/var/cache/ishare-snapshotter-bench',
    )
    .parse()
    .opts<Flags>();
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a number from 1 on.');
  return value;
}

async function main(): Promise<number> {
  const flagValues = flags();
  const { only, quick, runs, list, out, cache, markdown, pictures } = flagValues;
  if (list) {
    for (const { name, title } of BENCHES) console.log(`${name.padEnd(20)} ${title}`);
    return 0;
  }
  const unknownPair = flagValues.pairs?.find((name) => !PAIR_NAMES.includes(name));
  if (unknownPair !== undefined) {
    console.error(`no pair of images is called ${unknownPair}; there are ${PAIR_NAMES.join(', ')}`);
    return 2;
  }
  const unknown = (only ?? []).filter((name) => BENCHES.every((bench) => bench.name !== name));
  if (unknown.length > 0) {
    console.error(`no benchmark is called ${unknown.join(', ')}; --list prints the names`);
    return 2;
  }
  // npm runs scripts in the package's directory; names are meant from where the user stands.
  const from = process.env['INIT_CWD'] ?? process.cwd();
  const directory = resolve(from, out);
  const begin = performance.now();
  const say = (text: string): void =>
    console.error(`${((performance.now() - begin) / 1000).toFixed(0).padStart(5)} s  ${text}`);
  using interruption = new Interruption(() => say('Still cleaning up; this ends by itself.'));
  const resultsFile = join(directory, 'results.json');
  const write = async (result: Result): Promise<void> => {
    await mkdir(directory, { recursive: true });
    await writeFile(resultsFile, `${JSON.stringify(result, null, 2)}\n`);
    await writeFile(join(directory, 'report.html'), htmlReport(result));
    if (markdown !== undefined) {
      const file = resolve(from, markdown);
      await writeFile(file, withTables(await readFile(file, 'utf8'), result));
    }
  };
  try {
    if (flagValues.from !== undefined) {
      await write(await readResult(resolve(from, flagValues.from)));
    } else {
      const earlier =
        flagValues.continue && existsSync(resultsFile) ? await readResult(resultsFile) : undefined;
      const measured = new Set(earlier?.benches.map(({ name }) => name));
      const wanted = ({ name, longOnly }: Bench): boolean =>
        only === undefined ? !(quick && longOnly === true) && !measured.has(name) : only.includes(name);
      await runBenches({
        benches: BENCHES.filter(wanted),
        pairs: flagValues.pairs,
        quick,
        runs: runs ?? (quick ? QUICK_RUNS : RUNS),
        cacheDirectory: resolve(from, cache),
        signal: interruption.signal,
        onStep: say,
        earlier,
        onResult: write,
      });
    }
    if (pictures)
      await drawPictures(
        await readResult(resultsFile),
        new Tools(join(resolve(from, cache), 'tools')),
        directory,
      );
    say(`Results are in ${directory}: results.json, report.html`);
    return 0;
  } catch (error) {
    const reason: unknown = interruption.signal.aborted ? interruption.signal.reason : error;
    if (!(reason instanceof InterruptedError)) throw reason;
    say(
      'Stopped. Nothing is left running or mounted. --continue goes on after the last benchmark that was finished.',
    );
    return 128 + constants.signals[reason.by];
  }
}

async function readResult(file: string): Promise<Result> {
  return resultSchema.parse(JSON.parse(await readFile(file, 'utf8')));
}

void main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
