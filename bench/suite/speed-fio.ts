import { join } from 'node:path';
import * as z from 'zod';
import { dropCaches } from '../../scripts/memory/page-cache';
import { runCommand } from '../../scripts/process/command';
import { SyntheticImages } from '../images/synthetic-images';
import type { Bench, BenchContext } from '../run/bench';
import { interleaved, preparedSubjects } from '../run/interleaved';
import type { Tool } from '../tool/tools';
import { speedSubjects } from './speed-subjects';

const FIO_LIMIT = 120_000;
const MEBIBYTES = 512;
const QUICK_MEBIBYTES = 128;

interface Way {
  readonly order: 'sequential' | 'random';
  readonly block: '4k' | '128k' | '1m';
  readonly by: 'read' | 'mmap';
  readonly jobs: 1 | 8;
}

const WAYS: readonly Way[] = (['sequential', 'random'] as const).flatMap((order) =>
  (['4k', '128k', '1m'] as const).flatMap((block) =>
    (['read', 'mmap'] as const).flatMap((by) =>
      ([1, 8] as const).map((jobs) => ({ order, block, by, jobs })),
    ),
  ),
);

const QUICK_WAYS: readonly Way[] = [
  { order: 'sequential', block: '128k', by: 'read', jobs: 1 },
  { order: 'random', block: '4k', by: 'mmap', jobs: 8 },
];

/** As much of fio's JSON as is used here. */
const outputSchema = z.object({
  'fio version': z.string(),
  jobs: z.array(z.object({ read: z.object({ bw_bytes: z.number() }) })).min(1),
});

export const speedFio: Bench = {
  name: 'speed-fio',
  title: 'Speed of reading a large file (fio)',
  method:
    'fio on one file, through read(2) or a mapping, by one process or eight. Cold after dropping caches, until the time is up or ' +
    'the file is read once; warm with the whole file cached, by the clock. A subject stays mounted for all ways of one run, so ' +
    'caches of its own process stay warm. Half of the file compresses.',
  async run(context) {
    const fio = context.tools.find('load', 'fio');
    if (fio === undefined) {
      context.skip('all of it', 'fio was not fetched (scripts/install-bench-tools.sh)');
      return;
    }
    const synthetic = new SyntheticImages(join(context.workDirectory, '..', 'synthetic'));
    const images = [await synthetic.large(context.quick ? QUICK_MEBIBYTES : MEBIBYTES)];
    const subjects = await preparedSubjects(context, speedSubjects(context, context.quick), images);
    await interleaved(context, subjects, images, async ({ name: subject }, { roots: [root = ''] }) => {
      for (const way of context.quick ? QUICK_WAYS : WAYS) {
        const name = `${way.order}, ${way.block}, ${way.by}, ${way.jobs === 1 ? '1 job' : `${way.jobs} jobs`}`;
        const key = { subject, metric: 'bandwidth', unit: 'bytes/s', better: 'more' } as const;
        await dropCaches();
        const cold = await run(context, fio, way, root, 'cold');
        context.record({ ...key, case: `${name}, cold` }, cold);
        const options = { directory: root, timeLimit: FIO_LIMIT, signal: context.signal };
        await runCommand('bash', ['-c', 'cat large | wc -c'], options);
        const warm = await run(context, fio, way, root, 'warm');
        context.record({ ...key, case: `${name}, warm` }, warm);
      }
    });
  },
};

/** Bytes a second. */
async function run(
  context: BenchContext,
  { program, words }: Tool,
  { order, block, by, jobs }: Way,
  root: string,
  temperature: 'cold' | 'warm',
): Promise<number> {
  const settings = {
    name: 'bench',
    filename: join(root, 'large'),
    rw: order === 'random' ? 'randread' : 'read',
    bs: block,
    ioengine: by === 'mmap' ? 'mmap' : 'psync',
    numjobs: jobs,
    runtime: context.quick ? '500ms' : '1s',
    'output-format': 'json',
    // fio would drop the pages of the file before it begins.
    invalidate: 0,
    allow_file_create: 0,
  };
  const flags = ['--readonly', '--group_reporting', ...(temperature === 'warm' ? ['--time_based'] : [])];
  const named = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const { stdout } = await runCommand(program, [...words, ...named, ...flags], {
    timeLimit: FIO_LIMIT,
    signal: context.signal,
  });
  const output = outputSchema.parse(JSON.parse(stdout.slice(stdout.indexOf('{'))));
  context.version('fio', output['fio version']);
  const [job] = output.jobs;
  return job?.read.bw_bytes ?? 0;
}
