import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../scripts/process/command';
import { containerRuns, NAMESPACE } from '../containers/container-runs';
import type { ContainerPlace, ContainerSubject } from '../containers/container-subject';
import { ImageArchives, type ArchivedImage } from '../images/image-archives';
import { peakMemory, resetPeak } from '../memory/process-memory';
import type { Unit } from '../result/result';
import type { Bench, BenchContext } from '../run/bench';

const DU_LIMIT = 120_000;

export const imports: Bench = {
  name: 'import',
  title: 'Importing images',
  method:
    'A containerd of its own for each run; ctr import of an archive, which unpacks it, first of one version, then of its ' +
    'neighbour, and of four images at once. Written is what containerd and daemon sent to the disk (write_bytes of /proc/PID/io) ' +
    'less what their content store grew by. Peak memory is VmHWM of containerd and daemon together, and of the daemon alone; programs that ' +
    'containerd starts (mkfs.erofs) are not in it. Disk is what the directory of the snapshots takes (du).',
  async run(context) {
    const archives = new ImageArchives(join(context.workDirectory, '..', 'archives'));
    const four: ArchivedImage[] = [];
    for (const pair of context.quick ? context.pairNames.slice(0, 1) : context.pairNames) {
      const { images } = await context.pairs.pair(pair);
      context.step(`packing the images of ${pair}`);
      const packed: ArchivedImage[] = [];
      for (const image of images) packed.push(await archives.archive(image, context.signal));
      if (four.length < 4) four.push(...packed);
      await containerRuns(context, pair, wantedBy(context), async ({ name }, place) => {
        for (const [index, image] of packed.entries())
          await measure(context, name, place, `${pair}, ${index === 0 ? 'first' : 'second'}`, [image]);
      });
    }
    if (context.quick || four.length < 4) return;
    await containerRuns(context, 'four at once', wantedBy(context), ({ name }, place) =>
      measure(context, name, place, 'four at once', four),
    );
  },
};

/** Sharing makes no difference to it. */
function wantedBy({ quick }: BenchContext): (subject: ContainerSubject) => boolean {
  const left = quick ? ['ishare, no domain', 'ishare, lz4', 'ishare, zstd'] : ['ishare, no domain'];
  return ({ name }) => !left.includes(name);
}

async function measure(
  context: BenchContext,
  subject: string,
  place: ContainerPlace,
  what: string,
  images: readonly ArchivedImage[],
): Promise<void> {
  const { containerd, snapshotter, daemon } = place;
  const ctr = { namespace: NAMESPACE, snapshotter, signal: context.signal };
  const record = (metric: string, unit: Unit, value: number): void =>
    context.record({ case: what, subject, metric, unit, better: 'less' }, value);
  const pids = await place.services();
  for (const pid of pids) await resetPeak(pid);
  const written = async (): Promise<number> =>
    (await writtenBytes(pids)) - (await diskUse(place.contentDirectory));
  const writtenBefore = await written();
  const start = performance.now();
  await Promise.all(images.map(({ archive }) => containerd.import(archive, ctr)));
  record('time', 'seconds', (performance.now() - start) / 1000);
  record('written', 'bytes', (await written()) - writtenBefore);
  const peaks = await Promise.all(pids.map(peakMemory));
  record(
    'peak memory',
    'bytes',
    peaks.reduce((sum, peak) => sum + peak, 0),
  );
  if (daemon !== undefined) record('peak memory, daemon', 'bytes', await peakMemory(daemon.pid));
  await place.deletedAll(context.signal);
  record('disk', 'bytes', await diskUse(place.snapshotDirectory));
}

/** What processes have had written to the disk so far, with their children that have ended (proc(5), io). */
async function writtenBytes(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(`/proc/${pid}/io`, 'utf8').catch(() => '');
      return Number(/^write_bytes: (\d+)$/m.exec(text)?.[1] ?? 0);
    }),
  );
  return each.reduce((sum, bytes) => sum + bytes, 0);
}

/** Containerd makes its directories when it needs them: until then they take nothing. */
async function diskUse(directory: string): Promise<number> {
  if (!existsSync(directory)) return 0;
  const words = ['--summarize', '--one-file-system', '--block-size=1', directory];
  const { stdout } = await runCommand('du', words, { timeLimit: DU_LIMIT });
  return Number(stdout.split('\t')[0]);
}
