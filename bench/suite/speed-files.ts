import { join } from 'node:path';
import { dropCaches } from '../../scripts/memory/page-cache';
import { runCommand } from '../../scripts/process/command';
import type { BenchImage } from '../images/bench-image';
import { SyntheticImages } from '../images/synthetic-images';
import type { Bench, BenchContext } from '../run/bench';
import { interleaved, preparedSubjects } from '../run/interleaved';
import type { Unit } from '../result/result';
import { READERS } from './read-everything';
import { speedSubjects } from './speed-subjects';

const STEP_LIMIT = 600_000;
/** How long rates are measured (ms). */
const RATE_TIME = 1_000;
const QUICK_RATE_TIME = 300;
const EXECUTIONS = 50;
const WIDE = 50_000;

interface Work {
  readonly name: string;
  readonly image: BenchImage;
  readonly unit: Unit & ('seconds' | '1/s');
  /** Whether there is anything to see with cold caches. */
  readonly cold: boolean;
  /** Does it once below a root. */
  run(root: string, signal: AbortSignal): Promise<number>;
}

export const speedFiles: Bench = {
  name: 'speed-files',
  title: 'Speed of reading, listing, opening and starting programs',
  method:
    'Each run mounts afresh; cold is the first time after caches were dropped, warm the next. Reading, find and ls are the ' +
    'programs of Debian; rates are of a Node program with 2000 files, whose own share is about a microsecond a call; starting ' +
    'a program is redis-server --version in a chroot, 50 times when warm.',
  async run(context) {
    for (const work of await works(context)) await measure(context, work);
  },
};

async function works(context: BenchContext): Promise<Work[]> {
  const [redis] = (await context.pairs.pair('redis')).images;
  const wide = await new SyntheticImages(join(context.workDirectory, '..', 'synthetic')).wide(WIDE);
  const shell = (name: string, image: BenchImage, command: string): Work => ({
    ...{ name, image, unit: 'seconds', cold: true },
    run: (root, signal) => timed(root, command, signal),
  });
  const rate = (name: string, operation: string): Work => ({
    ...{ name, image: redis, unit: '1/s', cold: false },
    run: async (root, signal) => {
      const milliseconds = context.quick ? QUICK_RATE_TIME : RATE_TIME;
      const words = [
        join(__dirname, '..', 'load', 'file-operations.js'),
        operation,
        root,
        String(milliseconds),
      ];
      const { stdout } = await runCommand(process.execPath, words, { timeLimit: STEP_LIMIT, signal });
      return Number(stdout);
    },
  });
  return [
    shell('read all (tar)', redis, READERS.tar),
    shell('read all (cat)', redis, READERS.cat),
    shell(
      'read all (cat), 8 readers',
      redis,
      'find . -xdev -type f -print0 | xargs -0 -P 8 -n 64 cat | wc -c',
    ),
    shell('find -ls', redis, 'find . -xdev -ls | wc -l'),
    shell(`ls of ${WIDE} files`, wide, 'ls wide | wc -l'),
    shell(`ls -l of ${WIDE} files`, wide, 'ls -l wide | wc -l'),
    {
      ...{ name: 'start a program', image: redis, unit: 'seconds', cold: true },
      run: (root, signal) => timed(root, 'chroot . /usr/bin/redis-server --version', signal),
    },
    {
      ...{ name: `start a program ${EXECUTIONS} times`, image: redis, unit: 'seconds', cold: false },
      run: (root, signal) =>
        timed(
          root,
          `for i in $(seq ${EXECUTIONS}); do chroot . /usr/bin/redis-server --version; done`,
          signal,
        ),
    },
    rate('stat', 'stat'),
    rate('open and close', 'open'),
  ];
}

async function timed(root: string, command: string, signal: AbortSignal): Promise<number> {
  const start = performance.now();
  const options = { directory: root, timeLimit: STEP_LIMIT, signal };
  await runCommand('bash', ['-o', 'pipefail', '-c', command], options);
  return (performance.now() - start) / 1000;
}

async function measure(context: BenchContext, work: Work): Promise<void> {
  const images = [work.image];
  const subjects = await preparedSubjects(context, speedSubjects(context, context.quick), images);
  await interleaved(context, subjects, images, async ({ name: subject }, { roots: [root = ''] }) => {
    const key = {
      subject,
      unit: work.unit,
      better: work.unit === 'seconds' ? 'less' : 'more',
      metric: work.unit === 'seconds' ? 'time' : 'rate',
    } as const;
    if (work.cold) {
      await dropCaches();
      context.record({ ...key, case: `${work.name}, cold` }, await work.run(root, context.signal));
    } else {
      await work.run(root, context.signal);
    }
    context.record({ ...key, case: `${work.name}, warm` }, await work.run(root, context.signal));
  });
}
