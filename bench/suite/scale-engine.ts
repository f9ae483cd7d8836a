import { join } from 'node:path';
import { TemporaryDirectory } from '../../scripts/process/temporary-directory';
import { NumberedFiles } from '../images/numbered-files';
import { processMemory, processorSeconds } from '../memory/process-memory';
import type { Bench, BenchContext } from '../run/bench';
import { OURS } from '../subject/mount-subjects';
import { serveWithEngine } from '../subject/served-engine';
import { readEverything } from './read-everything';

const INODES = [1e3, 1e4, 1e5, 1e6];
const QUICK_INODES = [1e3, 3e3, 1e4];
const IMAGES = [1, 10, 100, 1000];
const QUICK_IMAGES = [1, 5, 25];
/** Files of each of many images; half of them are the same in all. */
const FILES_OF_IMAGE = 20;
/** Beyond this reading everything takes minutes and tells nothing new. */
const MOST_READ = 1e5;

export const scaleEngine: Bench = {
  name: 'scale-engine',
  title: 'How the engine grows with dedup inodes and attached images',
  method:
    'Images of our own writer, of files with a number in each. Attaching is from the start of a process that does nothing else to the ' +
    'moment that every file has its dedup inode; memory is its RSS then and processor time what it had used by then; opened is ' +
    'the RSS after every file was read once, which registers a backing file for each.',
  async run(context) {
    const numbers = new NumberedFiles(join(context.workDirectory, '..', 'synthetic'));
    const cases: { over: string; x: number; files: string[]; read: boolean }[] = [];
    for (const count of context.quick ? QUICK_INODES : INODES) {
      context.step(`making an image of ${count} files`);
      cases.push({
        over: 'dedup inodes',
        x: count,
        files: [await numbers.image(0, count)],
        read: count <= MOST_READ,
      });
    }
    const half = FILES_OF_IMAGE / 2;
    const files: string[] = [];
    for (const count of context.quick ? QUICK_IMAGES : IMAGES) {
      context.step(`making ${count} images`);
      while (files.length < count) files.push(await numbers.image(files.length * half, FILES_OF_IMAGE));
      cases.push({ over: 'attached images', x: count, files: files.slice(0, count), read: true });
    }
    for (let run = 1; run <= context.runs; run++) {
      for (const one of cases) {
        context.signal.throwIfAborted();
        context.step(`${one.x} ${one.over}, run ${run} of ${context.runs}`);
        await measure(context, one);
      }
    }
  },
};

async function measure(
  context: BenchContext,
  { over, x, files, read }: { over: string; x: number; files: readonly string[]; read: boolean },
): Promise<void> {
  const record = (metric: string, unit: 'seconds' | 'bytes', value: number): void =>
    context.record({ case: over, subject: OURS, metric, unit, better: 'less', x }, value);
  await using directory = await TemporaryDirectory.create('bench');
  const start = performance.now();
  await using served = await serveWithEngine(files, directory.path, true);
  record('attaching', 'seconds', (performance.now() - start) / 1000);
  const pids = await served.pids();
  record('memory', 'bytes', (await processMemory(pids)).rss);
  record('processor', 'seconds', await processorSeconds(pids));
  if (!read) return;
  for (const root of served.roots) await readEverything(root, context.signal);
  record('memory, opened', 'bytes', (await processMemory(pids)).rss);
  record('processor, opened', 'seconds', await processorSeconds(pids));
}
