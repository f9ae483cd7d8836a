import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dropCaches } from '../../scripts/memory/page-cache';
import { runCommand } from '../../scripts/process/command';
import { descendantsOf } from '../../scripts/process/process-table';
import { containerRuns, NAMESPACE } from '../containers/container-runs';
import type { ContainerPlace } from '../containers/container-subject';
import { DATA, WORKLOADS, type Workload } from '../containers/workload';
import { ImageArchives, type ArchivedImage } from '../images/image-archives';
import { settledKernelMemory } from '../memory/kernel-memory';
import { processMemory } from '../memory/process-memory';
import { undisturbed } from '../memory/undisturbed';
import type { Bench, BenchContext } from '../run/bench';
import type { Tool } from '../tool/tools';

const READY_LIMIT = 120_000;
const LOAD_LIMIT = 120_000;

interface CtrPlace {
  readonly namespace: string;
  readonly snapshotter: string;
  readonly signal: AbortSignal;
}

export const memoryRunning: Bench = {
  name: 'memory-running',
  title: 'Memory of two neighbouring versions that run and are kept busy',
  method:
    'One container of each version at the same time, from dropped caches, under one containerd; each is loaded over its own ' +
    'loopback device by programs of the host. Data is on tmpfs and not counted. Page cache and slab are the growth of Cached less Shmem and ' +
    'of Slab; processes are the RSS of containerd, daemon and shims; the sum takes only their anonymous memory. What the services ' +
    'themselves allocate is the same for all and a column of its own.',
  async run(context) {
    const archives = new ImageArchives(join(context.workDirectory, '..', 'archives'));
    for (const workload of WORKLOADS) {
      if (!context.pairNames.includes(workload.pair)) continue;
      const load = workload.load(context.tools, context.quick);
      if (load === undefined) {
        context.skip(workload.pair, 'its load generator was not fetched (scripts/install-bench-tools.sh)');
        continue;
      }
      const { images } = await context.pairs.pair(workload.pair);
      context.step(`${workload.pair}: packing images`);
      const packed: ArchivedImage[] = [];
      for (const image of images) packed.push(await archives.archive(image, context.signal));
      await containerRuns(
        context,
        workload.pair,
        ({ name }) => name !== 'ishare, lz4' && !(context.quick && name === 'ishare, zstd'),
        ({ name }, place) => measure(context, name, place, workload, load, packed),
      );
    }
  },
};

async function measure(
  context: BenchContext,
  subject: string,
  place: ContainerPlace,
  workload: Workload,
  load: readonly Tool[],
  images: readonly ArchivedImage[],
): Promise<void> {
  const { containerd, snapshotter } = place;
  const { signal } = context;
  const ctr = { namespace: NAMESPACE, snapshotter, signal };
  for (const { archive } of images) await containerd.import(archive, ctr);
  const memory = await undisturbed(() => whileRunning(place, ctr, workload, load, images));
  for (const [metric, value] of Object.entries(memory))
    context.record({ case: workload.pair, subject, metric, unit: 'bytes', better: 'less' }, value);
}

/** Bytes by the names of the columns. The containers are gone again when it resolves. */
async function whileRunning(
  place: ContainerPlace,
  ctr: CtrPlace,
  workload: Workload,
  load: readonly Tool[],
  images: readonly ArchivedImage[],
): Promise<Record<string, number>> {
  const { containerd } = place;
  const { signal } = ctr;
  // What the load generators are themselves must be in memory before, and the same for all.
  await dropCaches();
  for (const { program, words } of load) {
    await runCommand(program, [...words.slice(0, 3), '--version'], { timeLimit: 10_000, signal }).catch(
      () => undefined,
    );
  }
  const before = await settledKernelMemory();
  const flags = ['--mount', `type=tmpfs,src=tmpfs,dst=${DATA},options=rw:mode=0777`];
  const pids: number[] = [];
  for (const [index, { reference }] of images.entries()) {
    const { command } = workload;
    pids.push(await containerd.run(reference, `run-${index}`, { ...ctr, command, flags }));
  }
  for (const pid of pids) await ready(pid, workload, signal);
  for (const pid of pids) {
    for (const { program, words } of load) {
      await runCommand('nsenter', ['--target', String(pid), '--net', program, ...words], {
        timeLimit: LOAD_LIMIT,
        signal,
      });
    }
  }
  const after = await settledKernelMemory();
  const inside = (await Promise.all(pids.map(async (pid) => [pid, ...(await descendantsOf(pid))]))).flat();
  const services = await processMemory(inside);
  const processes = await processMemory([...(await place.services()), ...(await place.shims())]);
  for (const index of images.keys()) await containerd.removeContainer(`run-${index}`, ctr);
  const cached = after.cached - before.cached;
  const slab = after.slab - before.slab;
  return {
    'page cache': cached,
    slab,
    processes: processes.rss,
    sum: cached + slab + processes.anonymous,
    'services, anonymous': services.anonymous,
  };
}

/** Waits until a service answers. */
async function ready(pid: number, { port, readyFile }: Workload, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + READY_LIMIT;
  for (;;) {
    signal.throwIfAborted();
    try {
      if (port !== undefined) {
        const script = `exec 3<>/dev/tcp/127.0.0.1/${port}`;
        const words = ['--target', String(pid), '--net', 'bash', '-c', script];
        await runCommand('nsenter', words, { timeLimit: 5_000, signal });
      }
      if (readyFile !== undefined) await access(`/proc/${pid}/root${readyFile}`);
      return;
    } catch (error) {
      if (performance.now() > deadline) {
        throw new Error(`the service was not ready within ${READY_LIMIT / 1000} s`, { cause: error });
      }
      await access(`/proc/${pid}`).catch((cause: unknown) => {
        throw new Error('the service ended by itself', { cause });
      });
      await sleep(100);
    }
  }
}
