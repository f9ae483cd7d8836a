import { mkdir, open, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLogger } from 'winston';
import { verifyImageFile } from '../../erofs/digests/image-verification';
import { noteDamage } from '../../snapshotter/image-damage';
import { openSnapshots, type OpenedSnapshots } from '../harness/faulty-snapshots';
import { noise } from '../harness/noise';
import { Scratch } from '../harness/scratch';
import { brokenInvariants } from '../harness/snapshots-invariants';

const TIME = new Date('2024-01-02T03:04:05Z');
const logger = createLogger({ silent: true });

let scratch: Scratch;
let opened: OpenedSnapshots;

beforeEach(async () => {
  scratch = await Scratch.make();
  opened = await openSnapshots(scratch.in('root'));
});

afterEach(async () => {
  await opened[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
});

/** Commits a layer with one file, the same in every detail for the same content and time of its unpacking. Returns the path of its image. */
async function commit(name: string, content: Buffer, unpacked = TIME): Promise<string> {
  const { snapshots, store, paths } = opened;
  await snapshots.prepare({ key: `${name}-key`, parent: '', labels: {} });
  const upper = paths.upper(store.snapshots.find(`${name}-key`)!.id);
  await writeFile(join(upper, 'file'), content);
  await utimes(join(upper, 'file'), TIME, TIME);
  await utimes(upper, unpacked, unpacked);
  await snapshots.commit({ key: `${name}-key`, name, labels: {} });
  return paths.image(store.snapshots.find(name)!.id);
}

async function isSound(name: string): Promise<boolean> {
  const { store, paths } = opened;
  const { id, digestsRoot } = store.snapshots.find(name)!;
  const { wrongUnits, fileLength, recordedLength } = await verifyImageFile(paths.image(id), {
    path: paths.digests(id),
    root: digestsRoot!,
  });
  return wrongUnits === 0 && fileLength === recordedLength;
}

const content = noise('layer', 3_000_000);

test.each([
  ['has wrong bytes', (image: string) => writeFile(image, Buffer.alloc(9000, 'x'), { flag: 'r+' })],
  ['is cut off', (image: string) => truncate(image, 100_000)],
  ['is too long', (image: string) => writeFile(image, 'more', { flag: 'a' })],
  ['is gone', (image: string) => rm(image)],
])(
  'an image that %s is whole again after the same layer was committed under another name',
  async (_what, damage) => {
    const { store, paths } = opened;
    const image = await commit('a/1/layer', content);
    await damage(image);
    noteDamage(store, logger, image, 'it is damaged');
    await commit('b/2/layer', content);
    expect(await isSound('a/1/layer')).toBe(true);
    expect(store.snapshots.find('a/1/layer')).toMatchObject({ damage: '' });
    expect(await brokenInvariants(paths, store)).toEqual([]);
  },
);

test.each([
  ['in content', 100_000, true],
  // The first unit holds the UUID, which depends on all times.
  ['where the two differ', 2000, false],
])(
  'of a layer unpacked at another time, what both have in common repairs: damage %s',
  async (_what, offset, repaired) => {
    const { store } = opened;
    const image = await commit('a/1/layer', content);
    const file = await open(image, 'r+');
    await file.write('damage', offset);
    await file.close();
    noteDamage(store, logger, image, 'it is damaged');
    await commit('b/2/layer', content, new Date('2025-05-05T05:05:05Z'));
    expect(store.snapshots.find('a/1/layer')!.digestsRoot).not.toBe(
      store.snapshots.find('b/2/layer')!.digestsRoot,
    );
    expect(await isSound('a/1/layer')).toBe(repaired);
    expect(store.snapshots.find('a/1/layer')).toMatchObject({ damage: repaired ? '' : 'it is damaged' });
  },
);

test('another layer repairs nothing, and images that nobody found damaged are not touched', async () => {
  const { store } = opened;
  const image = await commit('a/1/layer', content);
  await truncate(image, 100_000);
  await commit('b/2/layer', content);
  expect(await isSound('a/1/layer')).toBe(false);
  noteDamage(store, logger, image, 'it is cut off');
  await commit('b/3/layer', noise('other layer', 3_000_000));
  expect(await isSound('a/1/layer')).toBe(false);
  expect(store.snapshots.find('a/1/layer')).toMatchObject({ damage: 'it is cut off' });
});

test('a commit succeeds although the image that it would repair cannot be written to', async () => {
  const { store } = opened;
  const image = await commit('a/1/layer', content);
  await rm(image);
  // Something that cannot be opened for writing, not even by root.
  await mkdir(image);
  noteDamage(store, logger, image, 'it is a directory');
  await commit('b/2/layer', content);
  expect(await isSound('b/2/layer')).toBe(true);
  expect(store.snapshots.find('a/1/layer')).toMatchObject({ damage: 'it is a directory' });
});

test('an image that is gone when the daemon starts is marked, and one that cannot be read when it is needed', async () => {
  const gone = await commit('gone', content);
  const cut = await commit('cut', content);
  await opened[Symbol.asyncDispose]();
  await rm(gone);
  await truncate(cut, 0);
  opened = await openSnapshots(scratch.in('root'));
  const { snapshots, store } = opened;
  expect(store.snapshots.find('gone')).toMatchObject({ damage: expect.stringContaining('gone') as string });
  await expect(snapshots.prepare({ key: 'k', parent: 'cut', labels: {} })).rejects.toThrow(cut);
  expect(store.snapshots.find('cut')).toMatchObject({ damage: expect.stringContaining(cut) as string });
});
