import { join } from 'node:path';
import { dropCaches } from '../../scripts/memory/page-cache';
import { containerRuns, NAMESPACE } from '../containers/container-runs';
import type { ContainerPlace } from '../containers/container-subject';
import { firstOutput } from '../containers/first-output';
import { sideBySide } from '../containers/side-by-side';
import { ImageArchives, type ArchivedImage } from '../images/image-archives';
import { settledKernelMemory } from '../memory/kernel-memory';
import { processMemory } from '../memory/process-memory';
import type { Bench, BenchContext } from '../run/bench';
import type { Unit } from '../result/result';

const COUNTS = [1, 10, 100];
const QUICK_COUNTS = [1, 10];

export const containers: Bench = {
  name: 'containers',
  title: 'Containers: starting, running, removing',
  method:
    'A containerd of its own for each run; two images of redis. First output is from the call of ctr to the ' +
    'moment that date prints in the container. N containers are from both images in turn, four calls at a time; their memory ' +
    'is the growth of Cached and Slab from dropped caches, and the RSS of containerd, daemon and shims.',
  async run(context) {
    const archives = new ImageArchives(join(context.workDirectory, '..', 'archives'));
    const { images } = await context.pairs.pair('redis');
    context.step('packing the images of redis');
    const packed = [
      await archives.archive(images[0], context.signal),
      await archives.archive(images[1], context.signal),
    ];
    await containerRuns(
      context,
      'redis',
      ({ name }) => name !== 'ishare, lz4' && !(context.quick && name === 'ishare, zstd'),
      ({ name }, place) => measure(context, name, place, packed),
    );
  },
};

async function measure(
  context: BenchContext,
  subject: string,
  place: ContainerPlace,
  images: readonly ArchivedImage[],
): Promise<void> {
  const { containerd, snapshotter } = place;
  const ctr = { namespace: NAMESPACE, snapshotter, signal: context.signal };
  const record = (what: string, metric: string, unit: Unit, value: number): void =>
    context.record({ case: what, subject, metric, unit, better: 'less' }, value);

  for (const { archive } of images) await containerd.import(archive, ctr);
  const [first, second] = images.map(({ reference }) => reference);
  if (first === undefined || second === undefined) throw new Error('two images are needed');
  await dropCaches();
  record('first output, cold', 'time', 'seconds', await firstOutput(place, first, 'cold', context.signal));
  record('first output, warm', 'time', 'seconds', await firstOutput(place, first, 'warm', context.signal));
  record(
    'first output, other image',
    'time',
    'seconds',
    await firstOutput(place, second, 'other', context.signal),
  );

  for (const count of context.quick ? QUICK_COUNTS : COUNTS) {
    const what = count === 1 ? '1 container' : `${count} containers`;
    const ids = Array.from({ length: count }, (_, index) => `c${count}-${index}`);
    await dropCaches();
    const before = await settledKernelMemory();
    const start = performance.now();
    await sideBySide(ids, (id, index) => containerd.run(index % 2 === 0 ? first : second, id, ctr));
    record(`start ${what}`, 'time', 'seconds', (performance.now() - start) / 1000);
    const after = await settledKernelMemory();
    const processes = await processMemory([...(await place.services()), ...(await place.shims())]);
    record(what, 'page cache', 'bytes', after.cached - before.cached);
    record(what, 'slab', 'bytes', after.slab - before.slab);
    record(what, 'processes', 'bytes', processes.rss);
    record(
      what,
      'sum',
      'bytes',
      after.cached - before.cached + after.slab - before.slab + processes.anonymous,
    );
    const removing = performance.now();
    await sideBySide(ids, (id) => containerd.removeContainer(id, ctr));
    record(`remove ${what}`, 'time', 'seconds', (performance.now() - removing) / 1000);
  }
  const removing = performance.now();
  for (const reference of [first, second]) await containerd.removeImage(reference, ctr);
  record('remove both images', 'time', 'seconds', (performance.now() - removing) / 1000);
}
