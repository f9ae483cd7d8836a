import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from 'winston';
import { ImageBuilder } from '../../erofs/build-worker';
import { eventually } from '../../linux/testing/eventually';
import type { LayerImageBuilder } from '../../snapshotter/image-building';
import type { SnapshotId } from '../../snapshotter/store/snapshot-table';
import { commitChain, lowerOf } from '../harness/chains';
import { openSnapshots, type OpenedSnapshots } from '../harness/faulty-snapshots';
import { Scratch } from '../harness/scratch';
import { brokenInvariants } from '../harness/snapshots-invariants';

/** Far longer than from one layer to the next here. */
const PATIENCE_MS = 500;

let scratch: Scratch;
let builder: ImageBuilder;
/** Images of merged metadata that were asked for. */
let merges: number;
/** Those that were given up with an error. */
let failures: number;
/** Runs before each of them. */
let beforeMerge: (signal: AbortSignal | undefined) => Promise<void>;
/** Runs before each layer is built. */
let beforeBuild: () => Promise<void>;
let opened: OpenedSnapshots;

const watched: LayerImageBuilder = {
  build: async (request) => {
    if ('layers' in request.source) {
      merges += 1;
      await beforeMerge(request.signal);
    } else {
      await beforeBuild();
    }
    return builder.build(request);
  },
};

beforeEach(async () => {
  scratch = await Scratch.make();
  builder = new ImageBuilder({ concurrency: 1 });
  merges = 0;
  failures = 0;
  beforeMerge = () => Promise.resolve();
  beforeBuild = () => Promise.resolve();
  const logger = createLogger({ level: 'debug', silent: true });
  jest.spyOn(logger, 'debug').mockImplementation((...[message]: unknown[]) => {
    if (message === 'cannot merge an image ahead') failures += 1;
    return logger;
  });
  opened = await openSnapshots(scratch.in('root'), { builder: watched, mergeAheadMs: PATIENCE_MS, logger });
});

afterEach(async () => {
  await opened[Symbol.asyncDispose]();
  await builder[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
});

function idOf(name: string): SnapshotId {
  return opened.store.snapshots.find(name)!.id;
}

test('the image is there before anything runs, of the whole chain alone', async () => {
  const { snapshots, store, paths } = opened;
  await commitChain(opened, 4);
  await eventually(
    'the chain is merged',
    () => store.mergedImages.find(store.snapshots.find('4')!.id) !== undefined,
  );
  expect(merges).toBe(1);
  expect(lowerOf(await snapshots.prepare({ key: 'container', parent: '4', labels: {} })).length).toBe(1);
  expect(merges).toBe(1);
  expect(await brokenInvariants(paths, store)).toEqual([]);
});

test('it waits for layers that are still being made, whatever they lie above', async () => {
  const { snapshots, store, paths } = opened;
  const key = 'default/9/extract-1-y sha256:9';
  await snapshots.prepare({ key, parent: '', labels: {} });
  await writeFile(join(paths.upper(store.snapshots.find(key)!.id), 'file'), 'content');
  let finish: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (finish = resolve));
  beforeBuild = () => {
    beforeBuild = () => Promise.resolve();
    return held;
  };
  const slow = snapshots.commit({ key, name: 'other', labels: {} });
  await commitChain(opened, 2);
  const late = `default/9/extract-1-x sha256:3`;
  await sleep(2 * PATIENCE_MS);
  expect(merges).toBe(0);
  await snapshots.prepare({ key: late, parent: '2', labels: {} });
  finish();
  await slow;
  await snapshots.commit({ key: late, name: '3', labels: {} });
  await eventually(
    'the chain is merged',
    () => store.mergedImages.find(store.snapshots.find('3')!.id) !== undefined,
  );
  expect(merges).toBe(1);
});

test('chains are merged one after another', async () => {
  let finish: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (finish = resolve));
  beforeMerge = () => held;
  await commitChain(opened, 2);
  await commitChain(opened, 2, 'other-');
  await eventually('one is begun', () => merges > 0);
  await sleep(2 * PATIENCE_MS);
  expect(merges).toBe(1);
  finish();
  const { snapshots, mergedImages } = opened.store;
  await eventually('both are merged', () =>
    ['2', 'other-2'].every((name) => mergedImages.find(snapshots.find(name)!.id) !== undefined),
  );
});

test('it makes way for a layer that is to be made, and is done later', async () => {
  beforeMerge = (signal) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error));
    });
  await commitChain(opened, 2);
  await eventually('it is begun', () => merges === 1);
  beforeMerge = () => Promise.resolve();
  await commitChain(opened, 1, 'other-');
  expect(opened.store.mergedImages.find(idOf('2'))).toBeUndefined();
  await eventually('the chain is merged', () => opened.store.mergedImages.find(idOf('2')) !== undefined);
  expect({ merges, failures }).toEqual({ merges: 2, failures: 0 });
  expect(await brokenInvariants(opened.paths, opened.store)).toEqual([]);
});

test('unless a container waits for it, and then the layer does not', async () => {
  let finish: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (finish = resolve));
  let gaveUp = false;
  beforeMerge = (signal) => {
    signal?.addEventListener('abort', () => (gaveUp = true));
    return held;
  };
  await commitChain(opened, 2);
  await eventually('it is begun', () => merges === 1);
  const container = opened.snapshots.prepare({ key: 'container', parent: '2', labels: {} });
  await sleep(100);
  await commitChain(opened, 1, 'other-');
  expect({ merges, gaveUp }).toEqual({ merges: 1, gaveUp: false });
  finish();
  expect(lowerOf(await container).length).toBe(1);
  expect(merges).toBe(1);
});

test('a container that comes when it is being given up has it made', async () => {
  beforeMerge = (signal) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => void sleep(100).then(() => reject(signal.reason as Error)));
    });
  await commitChain(opened, 2);
  await eventually('it is begun', () => merges === 1);
  beforeMerge = () => Promise.resolve();
  const layer = commitChain(opened, 1, 'other-');
  await sleep(50);
  const container = opened.snapshots.prepare({ key: 'container', parent: '2', labels: {} });
  expect(lowerOf(await container).length).toBe(1);
  await layer;
  expect(merges).toBe(2);
});

test("a failure is nobody's, and the one who wants to run something tries again", async () => {
  beforeMerge = () => Promise.reject(new Error('disk on fire'));
  await commitChain(opened, 2);
  await eventually('it was tried', () => failures === 1);
  beforeMerge = () => Promise.resolve();
  expect(lowerOf(await opened.snapshots.prepare({ key: 'container', parent: '2', labels: {} })).length).toBe(
    1,
  );
  expect(merges).toBe(2);
});

test('nor is that of a database that cannot be read', async () => {
  await commitChain(opened, 2);
  const transaction = jest.spyOn(opened.store, 'transaction').mockImplementation(() => {
    throw new Error('disk I/O error');
  });
  await eventually('it was tried', () => failures > 0);
  transaction.mockRestore();
  expect(merges).toBe(0);
});
