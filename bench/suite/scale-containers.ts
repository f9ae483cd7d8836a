import { join } from 'node:path';
import { containerRuns, NAMESPACE } from '../containers/container-runs';
import type { ContainerPlace } from '../containers/container-subject';
import { firstOutput } from '../containers/first-output';
import { sideBySide } from '../containers/side-by-side';
import { ImageArchives, type ArchivedImage } from '../images/image-archives';
import { layeredImage } from '../images/layered-images';
import { processMemory, processorSeconds } from '../memory/process-memory';
import type { Bench, BenchContext } from '../run/bench';

const LAYERS = [1, 2, 4, 8, 16, 32, 64, 128];
const QUICK_LAYERS = [1, 8, 64];
const CONTAINERS = [1, 10, 50, 100, 200];
const QUICK_CONTAINERS = [1, 5, 20];

const SUBJECTS: readonly string[] = ['ishare', 'overlayfs snapshotter', 'erofs snapshotter'];

export const scaleContainers: Bench = {
  name: 'scale-containers',
  title: 'How containers grow with layers in a chain and with their number',
  method:
    'Layers: importing an image of so many layers, and the second start of a container from it. Containers: starting so many of ' +
    'one image, four calls at a time; memory and processor time are those of containerd and the daemon, shims left out, since they are the same for all.',
  longOnly: true,
  async run(context) {
    const archives = join(context.workDirectory, '..', 'archives');
    const [redis] = (await context.pairs.pair('redis')).images;
    const packed = await new ImageArchives(archives).archive(redis, context.signal);
    const layered: { x: number; image: ArchivedImage }[] = [];
    for (const x of context.quick ? QUICK_LAYERS : LAYERS) {
      context.step(`packing an image of ${x} layers`);
      layered.push({ x, image: await layeredImage(archives, redis, x, context.signal) });
    }
    const wanted = ({ name }: { readonly name: string }): boolean => SUBJECTS.includes(name);
    await containerRuns(context, 'layers', wanted, async ({ name }, place) => {
      for (const { x, image } of layered) await measureLayers(context, name, place, x, image);
    });
    await containerRuns(context, 'containers', wanted, ({ name }, place) =>
      measureContainers(context, name, place, packed),
    );
  },
};

async function measureLayers(
  context: BenchContext,
  subject: string,
  place: ContainerPlace,
  x: number,
  { archive, reference }: ArchivedImage,
): Promise<void> {
  const { containerd, snapshotter } = place;
  const { signal } = context;
  const ctr = { namespace: NAMESPACE, snapshotter, signal };
  const key = { case: 'layers', subject, unit: 'seconds', better: 'less', x } as const;
  const start = performance.now();
  await containerd.import(archive, ctr);
  context.record({ ...key, metric: 'import' }, (performance.now() - start) / 1000);
  await firstOutput(place, reference, `first-${x}`, signal);
  context.record(
    { ...key, metric: 'first output, warm' },
    await firstOutput(place, reference, `second-${x}`, signal),
  );
  const { rss } = await processMemory(await place.services());
  context.record({ ...key, metric: 'memory', unit: 'bytes' }, rss);
  // So that the next one's layers are its own.
  await containerd.removeImage(reference, ctr);
}

async function measureContainers(
  context: BenchContext,
  subject: string,
  place: ContainerPlace,
  { archive, reference }: ArchivedImage,
): Promise<void> {
  const { containerd, snapshotter } = place;
  const ctr = { namespace: NAMESPACE, snapshotter, signal: context.signal };
  await containerd.import(archive, ctr);
  await firstOutput(place, reference, 'warm', context.signal);
  const counts = context.quick ? QUICK_CONTAINERS : CONTAINERS;
  for (const x of counts) {
    const key = { case: 'containers', subject, better: 'less', x } as const;
    const ids = Array.from({ length: x }, (_, index) => `c${x}-${index}`);
    const services = await place.services();
    const used = await processorSeconds(services);
    const start = performance.now();
    await sideBySide(ids, (id) => containerd.run(reference, id, ctr));
    context.record({ ...key, metric: 'start', unit: 'seconds' }, (performance.now() - start) / 1000);
    const processor = (await processorSeconds(services)) - used;
    context.record({ ...key, metric: 'processor', unit: 'seconds' }, processor);
    const { rss } = await processMemory(services);
    context.record({ ...key, metric: 'memory', unit: 'bytes' }, rss);
    const removing = performance.now();
    await sideBySide(ids, (id) => containerd.removeContainer(id, ctr));
    context.record({ ...key, metric: 'remove', unit: 'seconds' }, (performance.now() - removing) / 1000);
  }
}
