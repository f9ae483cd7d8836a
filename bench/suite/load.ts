import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { LayerEntry, LayerSource } from '../../scripts/oci/layer-source';
import { writeOciArchive } from '../../scripts/oci/oci-archive';
import { runCommand } from '../../scripts/process/command';
import { containerRuns, NAMESPACE } from '../containers/container-runs';
import type { ContainerPlace } from '../containers/container-subject';
import type { ArchivedImage } from '../images/image-archives';
import { SyntheticImages } from '../images/synthetic-images';
import { DIRECTORY_NAMES, lookupName } from '../load/lookup-latency';
import { quantileOf } from '../result/statistics';
import type { Bench, BenchContext } from '../run/bench';

const FULL = { containers: 100, images: 10, mebibytes: 1024 };
const QUICK = { containers: 20, images: 5, mebibytes: 256 };

/** Names to look up: each serves once, since the kernel remembers it then. */
const NAMES = 20_000;
const PIECE = 250;
const PAUSE = 1;
const IDLE_PIECES = 16;
const LIMIT = 600_000;

/** How long lookups took (seconds), by how the process that asks for them runs. */
interface Latencies {
  readonly ordinary: number[];
  readonly realtime: number[];
}

const SUBJECTS: readonly string[] = ['ishare', 'overlayfs snapshotter'];

interface LoadImages {
  readonly variants: readonly ArchivedImage[];
  readonly lookups: ArchivedImage;
  readonly large: ArchivedImage;
}

export const load: Bench = {
  name: 'load',
  title: 'A hundred containers start while a large layer is committed',
  method:
    'Containers of several images are started all at once while an image with one large layer is imported. Meanwhile, and before in ' +
    'idleness, files that nobody has looked up are looked up through the root of another image, one every millisecond, by a process that ' +
    'runs before all others, so that the figure is that of the lookup, and in turns by an ordinary one, which waits for a processor as ' +
    'programs do.',
  longOnly: true,
  async run(context) {
    const images = await makeImages(context);
    await containerRuns(
      context,
      'load',
      ({ name }) => SUBJECTS.includes(name),
      ({ name }, place) => measure(context, name, place, images),
    );
  },
};

async function measure(
  context: BenchContext,
  subject: string,
  place: ContainerPlace,
  { variants, lookups, large }: LoadImages,
): Promise<void> {
  const { containerd, snapshotter } = place;
  const { signal } = context;
  const ctr = { namespace: NAMESPACE, snapshotter, signal, timeLimit: LIMIT };
  for (const { archive } of [...variants, lookups]) await containerd.import(archive, ctr);
  const root = join(containerd.directory, 'lookups');
  await containerd.mountRoot(lookups.reference, root, ctr);
  try {
    let next = 0;
    const piece = async ({ ordinary, realtime }: Latencies): Promise<void> => {
      // Both in turns from the first name of a directory on, which takes longer.
      const inTurn = Math.floor(next / DIRECTORY_NAMES) % 2 === 0;
      const first = next;
      next += PIECE;
      (inTurn ? ordinary : realtime).push(...(await latencies(root, first, !inTurn, signal)));
    };
    const idle: Latencies = { ordinary: [], realtime: [] };
    for (let index = 0; index < IDLE_PIECES; index++) await piece(idle);

    const { containers } = context.quick ? QUICK : FULL;
    const start = performance.now();
    let working = true;
    const importing = containerd.import(large.archive, ctr);
    const starting = Promise.allSettled(
      Array.from({ length: containers }, (_, index) => {
        const image = variants[index % variants.length];
        return containerd.run(image?.reference ?? '', `load-${index}`, ctr);
      }),
    );
    const work = Promise.allSettled([importing, starting]).then(() => (working = false));
    const loaded: Latencies = { ordinary: [], realtime: [] };
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- it changes while we wait
    while (working && next + PIECE <= NAMES) await piece(loaded);
    await work;
    await importing;
    const results = await starting;
    const started = results.filter(({ status }) => status === 'fulfilled').length;

    context.record(
      { case: 'all started', subject, metric: 'time', unit: 'seconds', better: 'less' },
      (performance.now() - start) / 1000,
    );
    context.record(
      { case: `of ${containers} containers`, subject, metric: 'started', unit: 'count', better: 'more' },
      started,
    );
    for (const [name, { ordinary, realtime }] of Object.entries({ idle, 'under load': loaded })) {
      for (const [what, values] of [
        ['lookup', realtime],
        ['lookup, with the wait for a processor', ordinary],
      ] as const) {
        const key = { case: name, subject, unit: 'seconds', better: 'less' } as const;
        context.record({ ...key, metric: `${what}, p50` }, quantileOf(values, 0.5));
        context.record({ ...key, metric: `${what}, p99` }, quantileOf(values, 0.99));
      }
    }
  } finally {
    await containerd.unmountRoot(root, ctr);
  }
}

async function latencies(
  root: string,
  first: number,
  realtime: boolean,
  signal: AbortSignal,
): Promise<number[]> {
  const words = [join(__dirname, '..', 'load', 'lookup-latency.js'), root];
  const { stdout } = await runCommand(
    process.execPath,
    [...words, String(first), String(PIECE), String(PAUSE), ...(realtime ? ['realtime'] : [])],
    { timeLimit: LIMIT, signal },
  );
  return z.array(z.number()).parse(JSON.parse(stdout));
}

async function makeImages(context: BenchContext): Promise<LoadImages> {
  const { images, mebibytes } = context.quick ? QUICK : FULL;
  const [redis] = (await context.pairs.pair('redis')).images;
  const [base = ''] = redis.layers;
  const make = async (name: string, layers: readonly LayerSource[]): Promise<ArchivedImage> => {
    const directory = join(context.workDirectory, '..', 'archives');
    const archive = join(directory, `load-${name}.tar`);
    const reference = `bench.local/load-${name}:latest`;
    if (existsSync(archive)) return { archive, reference };
    context.step(`packing ${name}`);
    await mkdir(directory, { recursive: true });
    const config = { command: ['/bin/sleep', 'infinity'] };
    await writeOciArchive(
      { reference, layers, config, compression: 'none' },
      `${archive}.unfinished`,
      context.signal,
    );
    await rename(`${archive}.unfinished`, archive);
    return { archive, reference };
  };
  const variants: ArchivedImage[] = [];
  for (let index = 0; index < images; index++) {
    const entries: LayerEntry[] = [{ path: 'variant', type: 'file', content: `${index}\n` }];
    variants.push(await make(`variant-${index}`, [{ directory: base }, { entries }]));
  }
  const files = Array.from({ length: NAMES }, (_, index): LayerEntry => {
    return { path: lookupName(index), type: 'file', content: `${index}\n` };
  });
  const synthetic = new SyntheticImages(join(context.workDirectory, '..', 'synthetic'));
  const [large = ''] = (await synthetic.large(mebibytes)).layers;
  return {
    variants,
    lookups: await make('lookups', [{ entries: files }]),
    large: await make(`large-${mebibytes}`, [{ directory: large }]),
  };
}
