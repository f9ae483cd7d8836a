import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { undisturbed } from '../linux/testing/undisturbed';
import { ErofsImage } from '../erofs/image';
import { parseFingerprint } from './fingerprint';
import type { VerifiedFile } from './image-trust';
import type { MeasuredInode } from './inventory';
import { digestOf, EnginePlace, FIXTURES, TEAM } from './testing/engine-place';
import { FileUser } from './testing/file-user';

const BUILT_HERE = 'plain-fp.erofs';
const READY_MADE = 'plain-fp-default.erofs';
const FILE = 'rand.bin';

let content: Buffer;

beforeAll(async () => {
  content = await readFile(path.join(FIXTURES, 'src', FILE));
});

/** Every file of an image with the fingerprint that it really has. */
async function allFilesOf(image: string): Promise<VerifiedFile[]> {
  const files: VerifiedFile[] = [];
  await using opened = await ErofsImage.open(path.join(FIXTURES, image));
  for await (const inode of opened.files()) {
    const value = await opened.fingerprint(inode);
    const fingerprint = value && parseFingerprint(value);
    if (fingerprint !== undefined) files.push({ nid: inode.nid, fingerprint });
  }
  return files;
}

async function inodesOfFile(place: EnginePlace): Promise<{ shared: MeasuredInode[]; own: MeasuredInode[] }> {
  const digest = createHash('sha256').update(content).digest('hex');
  const { inodes } = await place.engine.measure();
  return {
    shared: inodes.filter((inode) => inode.digest === digest),
    own: inodes.filter((inode) => inode.digest === undefined && inode.size === content.length),
  };
}

test('a file of an unverified image has an inode of its own, with its own right bytes', async () => {
  await using place = await EnginePlace.start();
  const trusted = await place.engine.attach(place.layer(BUILT_HERE, TEAM));
  const unverified = await place.engine.attach(place.layer(READY_MADE, TEAM, { trust: 'unverified' }));
  const wanted = await digestOf(`${trusted}/${FILE}`);
  const reads = await place.dedupReads();
  expect(await digestOf(`${unverified}/${FILE}`)).toBe(wanted);
  expect(await place.dedupReads()).toBeGreaterThan(reads);
  const { shared, own } = await inodesOfFile(place);
  expect(shared).toMatchObject([{ holders: [1] }]);
  expect(own).toMatchObject([{ holders: [2] }]);
});

test('files that were verified before the image was attached are shared from the first open on', async () => {
  await using place = await EnginePlace.start();
  const trusted = await place.engine.attach(place.layer(BUILT_HERE, TEAM));
  const verified = await allFilesOf(READY_MADE);
  const root = await place.engine.attach(place.layer(READY_MADE, TEAM, { trust: 'unverified', verified }));
  const wanted = await digestOf(`${trusted}/${FILE}`);
  const reads = await place.dedupReads();
  expect(await digestOf(`${root}/${FILE}`)).toBe(wanted);
  expect(await place.dedupReads()).toBe(reads);
});

test('what was verified moves to the shared inode at the next open without a handle', async () => {
  await using place = await EnginePlace.start();
  const trusted = await place.engine.attach(place.layer(BUILT_HERE, TEAM));
  const layer = place.layer(READY_MADE, TEAM, { trust: 'unverified' });
  const root = await place.engine.attach(layer);
  await digestOf(`${trusted}/${FILE}`);
  await using holder = await FileUser.open(`${root}/${FILE}`);
  expect(await holder.map('shared')).toBe(true);
  expect((await holder.read(0, content.length)).equals(content)).toBe(true);
  await place.engine.learn({ imagePath: layer.imagePath, trust: 'verified', verified: [] });

  // A second handle beside the first must stay on the inode that it is on.
  expect(await digestOf(`${root}/${FILE}`)).toBe(await digestOf(`${trusted}/${FILE}`));
  expect((await inodesOfFile(place)).own).toMatchObject([{ openFiles: 1 }]);
  expect((await holder.read(4096, 8192)).equals(content.subarray(4096, 12_288))).toBe(true);

  await holder.close();
  const reads = await place.dedupReads();
  await using moved = await FileUser.open(`${root}/${FILE}`);
  expect((await moved.read(0, content.length)).equals(content)).toBe(true);
  expect(await place.dedupReads()).toBe(reads);
  const { shared } = await inodesOfFile(place);
  expect(shared).toMatchObject([{ holders: [1, 2], openFiles: 1 }]);
  // The mapping is still one of the old inode, whose pages have gone.
  expect((await holder.mapped(0, content.length)).equals(content)).toBe(true);
});

test('pages of an inode of its own are dropped when the file moves', () =>
  undisturbed(async () => {
    await using place = await EnginePlace.start();
    const layer = place.layer(READY_MADE, TEAM, { trust: 'unverified' });
    const root = await place.engine.attach(layer);
    await digestOf(`${root}/${FILE}`);
    expect((await inodesOfFile(place)).own[0]?.cachedBytes).toBeGreaterThanOrEqual(content.length);
    await place.engine.learn({ imagePath: layer.imagePath, trust: 'verified', verified: [] });
    await digestOf(`${root}/${FILE}`);
    const { shared, own } = await inodesOfFile(place);
    expect(shared[0]?.cachedBytes).toBeGreaterThanOrEqual(content.length);
    expect(own[0]?.cachedBytes).toBe(0);
  }));

test('a quarantined image leaves the shared inode at the next open without a handle', async () => {
  await using place = await EnginePlace.start();
  const trusted = await place.engine.attach(place.layer(BUILT_HERE, TEAM));
  const layer = place.layer(READY_MADE, TEAM, {
    trust: 'unverified',
    verified: await allFilesOf(READY_MADE),
  });
  const root = await place.engine.attach(layer);
  await using holder = await FileUser.open(`${root}/${FILE}`);
  expect((await holder.read(0, content.length)).equals(content)).toBe(true);
  await place.engine.learn({ imagePath: layer.imagePath, trust: 'quarantined', verified: [] });

  expect(await digestOf(`${root}/${FILE}`)).toBe(await digestOf(`${trusted}/${FILE}`));
  expect((await inodesOfFile(place)).own).toEqual([]);
  expect((await holder.read(0, 4096)).equals(content.subarray(0, 4096))).toBe(true);

  await holder.close();
  await using again = await FileUser.open(`${root}/${FILE}`);
  expect((await again.read(0, content.length)).equals(content)).toBe(true);
  const { shared, own } = await inodesOfFile(place);
  expect(shared).toMatchObject([{ holders: [1] }]);
  expect(own).toMatchObject([{ holders: [2], openFiles: 1 }]);
});

test('the same image in two domains is believed in both at once', async () => {
  await using place = await EnginePlace.start();
  const layers = [TEAM, { ...TEAM, id: 9, token: 'e5f6', secret: Buffer.alloc(32, 9) }].map((domain) =>
    place.layer(READY_MADE, domain, { trust: 'unverified' }),
  );
  for (const layer of layers) await place.engine.attach(layer);
  const { imagePath } = layers[0]!;
  await place.engine.learn({ imagePath, trust: 'verified', verified: [] });
  const images = await place.engine.attachedImages();
  expect(images.map(({ trust }) => trust)).toEqual(['verified', 'verified']);
  for (const { sharedFiles } of images) expect(sharedFiles).toBeGreaterThan(0);
});
