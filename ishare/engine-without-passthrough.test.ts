import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { digestOf, EnginePlace, FIXTURES, OTHERS, TEAM } from './testing/engine-place';
import { FileUser } from './testing/file-user';

const WITHOUT = { passthrough: false };

test('read(2) of a common file takes the pages that another image has read', async () => {
  await using place = await EnginePlace.start(WITHOUT);
  expect((await place.engine.state()).passthrough).toBe(false);
  const first = await place.engine.attach(place.layer('plain-fp.erofs', TEAM));
  const second = await place.engine.attach(place.layer('plain-fp-default.erofs', TEAM));
  const foreign = await place.engine.attach(place.layer('plain-fp.erofs', OTHERS));
  const wanted = await digestOf(path.join(FIXTURES, 'src/rand.bin'));
  expect(await digestOf(`${first}/rand.bin`)).toBe(wanted);
  const reads = await place.dedupReads();
  expect(reads).toBeGreaterThan(0);
  expect(await digestOf(`${second}/rand.bin`)).toBe(wanted);
  expect(await place.dedupReads()).toBe(reads);
  expect(await digestOf(`${foreign}/rand.bin`)).toBe(wanted);
  expect(await place.dedupReads()).toBeGreaterThan(reads);
});

test('mappings of both kinds have the right bytes, and leave the shared pages alone', async () => {
  await using place = await EnginePlace.start(WITHOUT);
  const root = await place.engine.attach(place.layer('plain-fp.erofs', TEAM));
  const content = await readFile(path.join(FIXTURES, 'src/rand.bin'));
  await using user = await FileUser.open(`${root}/rand.bin`);
  for (const kind of ['private', 'shared'] as const) {
    expect(await user.map(kind)).toBe(true);
    expect((await user.mapped(0, content.length)).equals(content)).toBe(true);
  }
  expect(await place.dedupReads()).toBe(0);
  // Through the same handle, while the mapping stands.
  expect((await user.read(4096, 8192)).equals(content.subarray(4096, 12_288))).toBe(true);
  expect(await place.dedupReads()).toBeGreaterThan(0);
});

test('files of an image that is not believed are read through inodes of their own', async () => {
  await using place = await EnginePlace.start(WITHOUT);
  const first = await place.engine.attach(place.layer('plain-fp.erofs', TEAM));
  const second = await place.engine.attach(
    place.layer('plain-fp-default.erofs', TEAM, { trust: 'unverified' }),
  );
  await digestOf(`${first}/rand.bin`);
  const reads = await place.dedupReads();
  expect(await digestOf(`${second}/rand.bin`)).toBe(await digestOf(`${first}/rand.bin`));
  expect(await place.dedupReads()).toBeGreaterThan(reads);
});

test('more readers at once than may wait for the ishare mount are all served', async () => {
  await using place = await EnginePlace.start(WITHOUT);
  const roots = [];
  for (const image of ['plain-fp.erofs', 'plain-fp-default.erofs'])
    roots.push(await place.engine.attach(place.layer(image, TEAM)));
  const names = ['a.txt', 'rand.bin', 'dir/a-copy.txt'];
  const files = [...roots, ...roots, ...roots, ...roots].flatMap((root) =>
    names.map((name) => `${root}/${name}`),
  );
  const digests = await Promise.all(files.map(digestOf));
  const wanted = await Promise.all(names.map((name) => digestOf(path.join(FIXTURES, 'src', name))));
  digests.forEach((digest, index) => expect(digest).toBe(wanted[index % names.length]));
});
