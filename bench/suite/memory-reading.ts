import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { processMemory } from '../memory/process-memory';
import { settledKernelMemory } from '../memory/kernel-memory';
import { undisturbed } from '../memory/undisturbed';
import { contentTotals } from '../../scripts/memory/unique-content';
import { dropCaches } from '../../scripts/memory/page-cache';
import { readEverything } from './read-everything';
import type { ImagePair } from '../images/bench-image';
import { MergedTree } from '../images/merged-tree';
import type { Bench, BenchContext } from '../run/bench';
import { interleaved, preparedSubjects } from '../run/interleaved';
import { mountSubjects } from '../subject/mount-subjects';

/** The subject of figures that follow from the files themselves. */
export const LIMIT = 'limit';
/** What the same files take where nothing is shared. */
export const ALL_FILES = 'all files';

export const memoryReading: Bench = {
  name: 'memory-reading',
  title: 'Memory after reading all files of two neighbouring images',
  method:
    'Both images are mounted, caches are dropped, every file of both is read once. Page cache and slab are what the kernel ' +
    'holds more than before (Cached less Shmem, Slab); processes are those that serve the mounts, their RSS whole, and in ' +
    'the sum only what no other process and no file has of it (anonymous Pss). The limit counts each distinct file content once, ' +
    'rounded up to pages.',
  async run(context) {
    for (const name of context.pairNames) await measurePair(context, name);
  },
};

async function measurePair(context: BenchContext, name: string): Promise<void> {
  const pair = await context.pairs.pair(name);
  context.version(`${name} A`, pair.versions[0]);
  context.version(`${name} B`, pair.versions[1]);
  await recordLimit(context, pair);
  const subjects = await preparedSubjects(context, mountSubjects(context, context.quick), pair.images);
  await interleaved(context, subjects, pair.images, async ({ name: subject }, mounted) => {
    const record = (metric: string, value: number): void =>
      context.record({ case: name, subject, metric, unit: 'bytes', better: 'less' }, value);
    const { cached, slab } = await undisturbed(async () => {
      await dropCaches();
      const before = await settledKernelMemory();
      for (const root of mounted.roots) await readEverything(root, context.signal);
      const after = await settledKernelMemory();
      return { cached: after.cached - before.cached, slab: after.slab - before.slab };
    });
    const processes = await processMemory(await mounted.pids());
    record('page cache', cached);
    record('slab', slab);
    record('processes', processes.rss);
    record('sum', cached + slab + processes.anonymous);
  });
}

async function recordLimit(context: BenchContext, { name, images }: ImagePair): Promise<void> {
  const { allBytes, uniqueBytes } = await knownTotals(context, name, images);
  const key = { case: name, metric: 'page cache', unit: 'bytes', better: 'less' } as const;
  context.record({ ...key, subject: ALL_FILES }, allBytes);
  context.record({ ...key, subject: LIMIT }, uniqueBytes);
}

const totalsSchema = z.object({ allBytes: z.number(), uniqueBytes: z.number() });

/** Trees that are kept have the same content for ever, and comparing it takes a minute. */
async function knownTotals(context: BenchContext, name: string, images: ImagePair['images']) {
  const file = join(context.workDirectory, `${name}.json`);
  const known = await readFile(file, 'utf8').catch(() => undefined);
  if (known !== undefined) return totalsSchema.parse(JSON.parse(known));
  context.step(`comparing the content of all files of ${name}`);
  await using a = await MergedTree.mount(images[0]);
  await using b = await MergedTree.mount(images[1]);
  const totals = await contentTotals([a.path, b.path], context.signal);
  await writeFile(file, JSON.stringify(totals));
  return totals;
}
