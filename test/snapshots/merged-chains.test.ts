import { spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import SqliteDatabase from 'better-sqlite3';
import { ImageBuilder } from '../../erofs/build-worker';
import type { Mount } from '../../proto/snapshots';
import { NotFoundError, toGrpcFailure } from '../../snapshotter/errors';
import type { LayerImageBuilder } from '../../snapshotter/image-building';
import type { SnapshotId } from '../../snapshotter/store/snapshot-table';
import { commitChain, lowerOf } from '../harness/chains';
import { openSnapshots, type OpenedSnapshots } from '../harness/faulty-snapshots';
import { LONG } from '../../linux/testing/long-trials';
import { Scratch } from '../harness/scratch';
import { brokenInvariants } from '../harness/snapshots-invariants';

const PROCESS = join(__dirname, '..', 'harness', 'killed-prepare-process.js');
const PRELOAD = join(__dirname, '..', 'harness', 'fault-points.js');
/** Points from one kill to the next: a process for each takes its time. */
const STRIDE = LONG ? 1 : 9;

let scratch: Scratch;
let builder: ImageBuilder;
/** Images of merged metadata that were asked for. */
let merges: number;
/** Runs before each of them. */
let beforeMerge: () => Promise<void>;
let opened: OpenedSnapshots;

const watched: LayerImageBuilder = {
  build: async (request) => {
    if ('layers' in request.source) {
      merges += 1;
      await beforeMerge();
    }
    return builder.build(request);
  },
};

beforeEach(async () => {
  scratch = await Scratch.make();
  builder = new ImageBuilder({ concurrency: 1 });
  merges = 0;
  beforeMerge = () => Promise.resolve();
  opened = await openSnapshots(scratch.in('root'), { builder: watched });
});

afterEach(async () => {
  await opened[Symbol.asyncDispose]();
  await builder[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
});

function idOf(name: string): SnapshotId {
  return opened.store.snapshots.find(name)!.id;
}

test('a container has one lower directory, and its image is built once, for the chain that it runs from', async () => {
  const { snapshots, paths } = opened;
  await commitChain(opened, 5);
  expect(merges).toBe(0);
  const keys = ['one', 'two', 'three', 'four'];
  const mounts = await Promise.all(keys.map((key) => snapshots.prepare({ key, parent: '5', labels: {} })));
  const view = await snapshots.view({ key: 'view', parent: '5', labels: {} });
  expect(mounts.map((each) => lowerOf(each).length)).toEqual([1, 1, 1, 1]);
  expect(new Set([...mounts, view].map((each) => lowerOf(each)[0])).size).toBe(1);
  expect(view).toMatchObject([{ type: 'bind', options: ['ro', 'rbind'] }]);
  expect(merges).toBe(1);
  expect(
    readdirSync(paths.images)
      .filter((name) => name.includes('merged'))
      .sort(),
  ).toEqual([`${idOf('5')}.merged.digests`, `${idOf('5')}.merged.erofs`]);
});

test.each([
  ['containerd unpacks', { key: 'default/9/extract-1-x sha256:9', labels: {} }],
  ['containerd unpacks on its side', { key: 'k', labels: { 'containerd.io/snapshot.ref': 'sha256:9' } }],
  ['dockerd lays files ready', { key: 'moby/9/0123abcd-init-key', labels: {} }],
])('nothing is merged for a snapshot into which %s', async (_what, request) => {
  await commitChain(opened, 3);
  const mounts = await opened.snapshots.prepare({ ...request, parent: '3' });
  expect(lowerOf(mounts).length).toBe(3);
  expect(merges).toBe(0);
});

test('a chain of one layer is that layer', async () => {
  await commitChain(opened, 1);
  const mounts = await opened.snapshots.prepare({ key: 'one', parent: '1', labels: {} });
  expect(lowerOf(mounts).length).toBe(1);
  expect(merges).toBe(0);
});

test('mounts stay what they were, also for the next daemon', async () => {
  await commitChain(opened, 3);
  const unpacking = 'default/9/extract-1-x sha256:9';
  const before = [
    await opened.snapshots.prepare({ key: unpacking, parent: '3', labels: {} }),
    await opened.snapshots.prepare({ key: 'container', parent: '3', labels: {} }),
  ];
  const now = async (): Promise<Mount[][]> => [
    await opened.snapshots.mounts(unpacking),
    await opened.snapshots.mounts('container'),
  ];
  expect(await now()).toEqual(before);
  await opened[Symbol.asyncDispose]();
  opened = await openSnapshots(scratch.in('root'), { builder: watched });
  expect(await now()).toEqual(before);
  expect(merges).toBe(1);
});

test('a merged image goes with its topmost layer', async () => {
  const { snapshots, paths, store } = opened;
  await commitChain(opened, 2);
  await snapshots.prepare({ key: 'container', parent: '2', labels: {} });
  await snapshots.remove('container');
  await snapshots.remove('2');
  await snapshots.cleanup();
  expect(readdirSync(paths.images).sort()).toEqual([`${idOf('1')}.digests`, `${idOf('1')}.erofs`]);
  expect(await brokenInvariants(paths, store)).toEqual([]);
});

test('a layer that is removed while its chain is merged leaves nothing', async () => {
  const { snapshots, paths, store } = opened;
  await commitChain(opened, 2);
  beforeMerge = () => snapshots.remove('2');
  const preparing = snapshots.prepare({ key: 'container', parent: '2', labels: {} });
  await expect(preparing).rejects.toThrow(NotFoundError);
  await snapshots.cleanup();
  expect(await brokenInvariants(paths, store)).toEqual([]);
});

test('layers that cannot be merged are served one by one, and the damage is written down', async () => {
  const { snapshots, paths, store } = opened;
  await commitChain(opened, 2);
  const image = paths.image(store.snapshots.find('1')!.id);
  const bytes = readFileSync(image);
  bytes.fill(0xff, 2048);
  writeFileSync(image, bytes);
  const mounts = await snapshots.prepare({ key: 'container', parent: '2', labels: {} });
  expect(lowerOf(mounts).length).toBe(2);
  expect(store.snapshots.find('container')?.lower).toBe('layers');
  expect(store.snapshots.find('1')?.damage).not.toBe('');
  expect(await brokenInvariants(paths, store)).toEqual([]);
});

test('a machine that fails fails the call, and the next one merges', async () => {
  const { snapshots, paths, store } = opened;
  await commitChain(opened, 2);
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  beforeMerge = () => Promise.reject(full);
  const prepare = (): Promise<Mount[]> => snapshots.prepare({ key: 'container', parent: '2', labels: {} });
  const { code } = toGrpcFailure(await prepare().catch((error: unknown) => error));
  expect(code).toBe(status.RESOURCE_EXHAUSTED);
  expect(store.snapshots.find('container')).toBeUndefined();
  beforeMerge = () => Promise.resolve();
  expect(lowerOf(await prepare()).length).toBe(1);
  expect(await brokenInvariants(paths, store)).toEqual([]);
});

test('what a crash left of merging is swept up', async () => {
  const { paths } = opened;
  await commitChain(opened, 2);
  const id = idOf('2');
  const names = [`.${id}.merged.erofs.tmp-0123456789abcdef`, `${id}.merged.erofs`, `${id}.merged.digests`];
  await opened[Symbol.asyncDispose]();
  for (const name of names) writeFileSync(join(paths.images, name), 'x');
  opened = await openSnapshots(scratch.in('root'), { builder: watched });
  for (const name of names) expect(existsSync(join(paths.images, name))).toBe(false);
  const mounts = await opened.snapshots.prepare({ key: 'container', parent: '2', labels: {} });
  expect(lowerOf(mounts).length).toBe(1);
});

describe('a merged image that is damaged', () => {
  let id: SnapshotId;
  let image: string;
  let sound: Buffer;

  beforeEach(async () => {
    await commitChain(opened, 2);
    await opened.snapshots.prepare({ key: 'before', parent: '2', labels: {} });
    id = opened.store.snapshots.find('2')!.id;
    image = opened.paths.mergedImage(id);
    sound = readFileSync(image);
  });

  const lowerCount = async (key: string): Promise<number> =>
    lowerOf(await opened.snapshots.prepare({ key, parent: '2', labels: {} })).length;

  test('because it is gone, is there again for what comes and for what was before', async () => {
    await opened[Symbol.asyncDispose]();
    rmSync(image);
    rmSync(opened.paths.mergedDigests(id));
    opened = await openSnapshots(scratch.in('root'), { builder: watched });
    const { snapshots, store, paths } = opened;
    expect(store.mergedImages.find(id)?.damage).toBe('its file is gone');
    expect(store.snapshots.find('2')?.damage).toBe('');
    await expect(snapshots.mounts('before')).rejects.toThrow(image);
    expect(await lowerCount('after')).toBe(1);
    expect(store.mergedImages.find(id)?.damage).toBe('');
    expect(readFileSync(image)).toEqual(sound);
    expect(lowerOf(await snapshots.mounts('before'))).toEqual(lowerOf(await snapshots.mounts('after')));
    expect(await brokenInvariants(paths, store)).toEqual([]);
  });

  test('is repaired in place, so that those who have it open read what is right', async () => {
    const { store, paths } = opened;
    const open = openSync(image, 'r+');
    try {
      writeSync(open, Buffer.alloc(600, 0xff), 0, 600, 1000);
      store.mergedImages.setDamage(id, 'block 0 is wrong');
      expect(await lowerCount('after')).toBe(1);
      const read = Buffer.alloc(sound.length);
      readSync(open, read, 0, read.length, 0);
      expect(read).toEqual(sound);
    } finally {
      closeSync(open);
    }
    expect(store.mergedImages.find(id)?.damage).toBe('');
    expect(await brokenInvariants(paths, store)).toEqual([]);
  });

  test('is not used where it cannot be repaired, and is not tried again and again', async () => {
    const { paths } = opened;
    const root = 'ab'.repeat(32);
    await opened[Symbol.asyncDispose]();
    // As another version of the writer would have recorded it.
    const database = new SqliteDatabase(paths.database);
    database.prepare('UPDATE merged_images SET digests_root = ?, damage = ?').run(root, 'block 0 is wrong');
    database.close();
    opened = await openSnapshots(scratch.in('root'), { builder: watched });
    const before = merges;
    expect([await lowerCount('one'), await lowerCount('two')]).toEqual([2, 2]);
    expect(merges).toBe(before + 1);
    expect(opened.store.mergedImages.find(id)?.damage).toBe('block 0 is wrong');
    expect(await brokenInvariants(paths, opened.store)).toEqual([]);
  });

  test('stays so as long as a layer is damaged too', async () => {
    const { store, paths, snapshots } = opened;
    const layer = paths.image(store.snapshots.find('1')!.id);
    const whole = readFileSync(layer);
    writeFileSync(layer, Buffer.concat([whole.subarray(0, 2048), Buffer.alloc(whole.length - 2048, 0xff)]));
    store.mergedImages.setDamage(id, 'block 0 is wrong');
    expect(await lowerCount('one')).toBe(2);
    expect(store.snapshots.find('1')?.damage).not.toBe('');
    writeFileSync(layer, whole);
    await snapshots.remove('one');
    expect(await lowerCount('one')).toBe(1);
    expect(await brokenInvariants(paths, store)).toEqual([]);
  });
});

test('what merged metadata takes on disk counts as its topmost layer', async () => {
  const { snapshots, paths } = opened;
  await commitChain(opened, 2);
  const before = await snapshots.usage('2');
  await snapshots.prepare({ key: 'container', parent: '2', labels: {} });
  const { blocks } = statSync(paths.mergedImage(idOf('2')));
  expect(blocks).toBeGreaterThan(0);
  expect(await snapshots.usage('2')).toEqual({ ...before, bytes: before.bytes + blocks * 512 });
});

test('a daemon that is killed at any step of merging leaves nothing that the next one does not sweep up', async () => {
  await commitChain(opened, 2);
  await opened[Symbol.asyncDispose]();
  let kills = 0;
  for (let point = 1; ; point += STRIDE) {
    const root = scratch.in(`root-${point}`);
    cpSync(scratch.in('root'), root, { recursive: true });
    const killed = spawnSync(process.execPath, ['--require', PRELOAD, PROCESS, root, String(point)], {
      env: { ...process.env, ISHARE_TEST_FAULTS: `${root}.plan` },
      timeout: 30_000,
    });
    opened = await openSnapshots(root, { builder: watched });
    const { snapshots, store, paths } = opened;
    await snapshots.cleanup();
    expect([point, await brokenInvariants(paths, store)]).toEqual([point, []]);
    if (store.snapshots.find('container') !== undefined) await snapshots.remove('container');
    const mounts = await snapshots.prepare({ key: 'container', parent: '2', labels: {} });
    expect([point, lowerOf(mounts).length]).toEqual([point, 1]);
    await opened[Symbol.asyncDispose]();
    if (killed.signal === null) break;
    expect(killed.signal).toBe('SIGKILL');
    kills += 1;
  }
  expect(kills).toBeGreaterThan(2);
});
