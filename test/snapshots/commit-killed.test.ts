import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyImageFile } from '../../erofs/digests/image-verification';
import { complaintsOfSystemFsck } from '../../erofs/writer/testing/fsck';
import { MountedImage } from '../../erofs/writer/testing/mounted-image';
import { makeReadyMade } from '../../ishare/verification/testing/ready-made';
import { Kind } from '../../proto/snapshots';
import { passedPoints } from '../harness/fault-points';
import { openSnapshots, type OpenedSnapshots } from '../harness/faulty-snapshots';
import { unpackRequest, writeLayerFile, type LayerFile } from '../harness/layer-file';
import { Scratch } from '../harness/scratch';
import { brokenInvariants } from '../harness/snapshots-invariants';
import { LONG } from '../../linux/testing/long-trials';

const CONTENT = 'what the layer holds\n'.repeat(1000);
const PROCESS = join(__dirname, '..', 'harness', 'killed-commit-process.js');
const PRELOAD = join(__dirname, '..', 'harness', 'fault-points.js');
/** Points from one kill to the next: a process for each takes its time. */
const STRIDE = LONG ? 1 : 4;
/** A layer that is unpacked has three times as many points. */
const STRIDES = { files: STRIDE, 'a ready-made image': STRIDE, 'a layer': STRIDE === 1 ? 1 : 11 };
/** More points than any commit has. */
const ENOUGH = 100;

type Source = keyof typeof STRIDES;

let scratch: Scratch;

beforeEach(async () => {
  scratch = await Scratch.make();
});

afterEach(async () => {
  await scratch[Symbol.asyncDispose]();
});

/** Of the faults in what happens to a root directory. */
function planOf(root: string): string {
  return `${root}.plan`;
}

/** Prepares the snapshot `key`: with files, with an image that is ready, or for a layer. */
async function prepare(root: string, source: Source): Promise<void> {
  await using opened = await openSnapshots(root);
  const { snapshots, store, paths } = opened;
  await snapshots.prepare({ key: 'key', parent: '', labels: {} });
  const { id } = store.snapshots.find('key')!;
  if (source === 'a layer') return;
  if (source === 'a ready-made image') {
    await makeReadyMade(paths.readyMadeImage(id), { content: CONTENT });
  } else {
    await mkdir(join(paths.upper(id), 'directory'));
    await writeFile(join(paths.upper(id), 'content'), CONTENT);
  }
}

/** Commits, after unpacking the layer if there is one, in a process that is killed at a point; false where the commit came to its end before. */
async function commitAndKill(root: string, point: number, layer: LayerFile | undefined): Promise<boolean> {
  const words = [root, String(point), ...(layer === undefined ? [] : [JSON.stringify(layer)])];
  const child = spawn(process.execPath, ['--require', PRELOAD, PROCESS, ...words], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ISHARE_TEST_FAULTS: planOf(root) },
  });
  const [exitCode, signal] = (await once(child, 'exit')) as [number | null, string | null];
  expect([exitCode, signal]).toEqual(signal === null ? [0, null] : [null, 'SIGKILL']);
  return signal !== null;
}

async function expectWhole({ store, paths }: OpenedSnapshots, name: string): Promise<void> {
  const snapshot = store.snapshots.find(name);
  expect(snapshot).toMatchObject({ kind: Kind.COMMITTED });
  const image = paths.image(snapshot!.id);
  expect(complaintsOfSystemFsck(image)).toBe('');
  const { digestsRoot } = snapshot!;
  if (digestsRoot !== undefined) {
    const digests = { path: paths.digests(snapshot!.id), root: digestsRoot };
    expect(await verifyImageFile(image, digests)).toMatchObject({ wrongUnits: 0 });
  }
  using mounted = new MountedImage(image);
  expect(await readFile(join(mounted.path, 'content'), 'utf8')).toBe(CONTENT);
}

/** In this order each survives a power failure: content, digests, names, and the row last. */
const STEPS = {
  files: [
    ...['writeSync', 'writeSync', 'ftruncateSync', 'writeSync', 'fsyncSync'],
    ...['writeSync', 'fsyncSync', 'renameSync', 'fsyncSync'],
    ...['renameSync', 'fsyncSync', 'BEGIN', 'COMMIT'],
  ],
  'a ready-made image': ['chmod', 'sync', 'link', 'sync', 'BEGIN', 'COMMIT'],
  'a layer': [
    ...['BEGIN', 'COMMIT', 'BEGIN', 'COMMIT', 'rm'],
    ...['writeSync', 'writeSync', 'ftruncateSync', 'writeSync', 'fsyncSync'],
    ...['writeSync', 'fsyncSync', 'renameSync', 'fsyncSync'],
    ...['renameSync', 'fsyncSync', 'sync', 'rename', 'sync'],
    ...['link', 'link', 'sync', 'BEGIN', 'COMMIT'],
  ],
} as const;

test.each(['files', 'a ready-made image', 'a layer'] as const)(
  'a commit of %s that is killed at any of its steps leaves the whole snapshot or none',
  async (source) => {
    const seen = { whole: 0, none: 0 };
    let operations: string[] = [];
    let killed = true;
    for (let point = 1; killed; point += STRIDES[source]) {
      expect(point).toBeLessThan(ENOUGH);
      const root = scratch.in(`root-${point}`);
      await prepare(root, source);
      const layer = source === 'a layer' ? writeLayerFile(`${root}-layer.tar`, CONTENT) : undefined;
      killed = await commitAndKill(root, point, layer);
      operations = passedPoints(planOf(root)).map((operation) => operation.split(' ')[0] ?? '');
      await using opened = await openSnapshots(root);
      const { snapshots, store, paths } = opened;
      await snapshots.cleanup();
      expect(await brokenInvariants(paths, store)).toEqual([]);
      const [{ name } = { name: '' }, ...others] = [...store.snapshots.all()];
      expect(others).toEqual([]);
      if (name === 'key') {
        seen.none += 1;
        if (layer !== undefined) await snapshots.unpack(unpackRequest(layer, await snapshots.mounts('key')));
        await snapshots.commit({ key: 'key', name: 'done', labels: {} });
        await snapshots.cleanup();
        expect(await brokenInvariants(paths, store)).toEqual([]);
      } else {
        seen.whole += 1;
      }
      await expectWhole(opened, 'done');
    }
    const steps = STEPS[source];
    expect(operations.slice(0, steps.length)).toEqual(steps);
    expect(seen).toEqual({
      none: Math.ceil(steps.length / STRIDES[source]),
      whole: expect.any(Number) as number,
    });
    expect(seen.whole).toBeGreaterThan(0);
  },
  300_000,
);
