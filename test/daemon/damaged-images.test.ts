import { open, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { noise } from '../harness/noise';
import { mountSnapshot } from '../harness/mounting';
import { failureOf, SnapshotsConnection } from '../harness/snapshots-connection';
import { DaemonPlace } from './daemon-place';
import { commitFiles } from './layers';

let place: DaemonPlace;

beforeEach(async () => {
  place = await DaemonPlace.create('[domains]\ndefault = "all"\n');
});

afterEach(async () => {
  await place[Symbol.asyncDispose]();
});

const SUPERBLOCK = 1024;

/** Each makes an image at a path unusable. */
const damages: readonly (readonly [what: string, damage: (image: string) => Promise<void>])[] = [
  ['with a wrong magic', (image) => overwrite(image, SUPERBLOCK, Buffer.alloc(4))],
  ['with a superblock of noise', (image) => overwrite(image, SUPERBLOCK, noise('noise', 128))],
  ['with a wrong checksum', (image) => overwrite(image, SUPERBLOCK + 4, Buffer.from('beef'))],
  ['cut in half', async (image) => truncate(image, Math.floor((await stat(image)).size / 2))],
  ['cut to the superblock', (image) => truncate(image, SUPERBLOCK + 128)],
  ['of no bytes', (image) => truncate(image, 0)],
  ['that is gone', (image) => rm(image)],
  [
    'that is a directory',
    async (image) => {
      await rm(image);
      await rename(place.in('root', 'trash'), image);
    },
  ],
];

async function overwrite(file: string, position: number, bytes: Buffer): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.write(bytes, 0, bytes.length, position);
  await handle.close();
}

/** Runs a daemon to its end around `work`. */
async function withDaemon(work: (client: SnapshotsConnection) => Promise<void>): Promise<void> {
  const daemon = await place.start();
  {
    using client = new SnapshotsConnection(place.flags.address);
    await work(client);
  }
  expect(await daemon.stop(20_000)).toBe(true);
  expect(daemon.exitCode).toBe(0);
  expect(await place.mounts()).toEqual([]);
}

/** Commits a layer and returns the path of its image. */
async function commitAndFind(client: SnapshotsConnection, name: string): Promise<string> {
  const directory = place.in('root', 'images');
  const before = await readdir(directory);
  await commitFiles(client, name, { file: `content of ${name}`, large: noise(name, 300_000) });
  const made = (await readdir(directory)).filter((found) => !before.includes(found));
  const image = made.find((found) => found.endsWith('.erofs'));
  return join(directory, image!);
}

async function readThrough(client: SnapshotsConnection, key: string): Promise<string> {
  using mounted = await mountSnapshot(await client.mounts(key), place.in('rootfs'));
  return await readFile(join(mounted.path, 'file'), 'utf8');
}

test.each(damages)(
  'an image %s: the daemon starts, refuses that layer by file, and serves the others',
  async (_what, damage) => {
    let image = '';
    await withDaemon(async (client) => {
      image = await commitAndFind(client, 'bad');
      await commitAndFind(client, 'good');
      await client.prepare('default/8/on-bad', 'bad');
      await client.prepare('default/8/on-good', 'good');
    });
    await damage(image);
    await withDaemon(async (client) => {
      expect((await failureOf(client.prepare('default/9/new', 'bad'))).details).toContain(image);
      expect((await failureOf(client.view('default/9/view', 'bad'))).details).toContain(image);
      await failureOf(client.mounts('default/8/on-bad'));
      // What failed left no row; what was there before still is, and can be removed.
      const keys = (await client.list()).map(({ name }) => name).sort();
      expect(keys).toEqual(['bad', 'default/8/on-bad', 'default/8/on-good', 'good']);
      expect(await readThrough(client, 'default/8/on-good')).toBe('content of good');
      await client.remove('default/8/on-bad');
      await client.remove('bad');
      await client.cleanup();
      await expect(stat(image)).rejects.toThrow('ENOENT');
    });
  },
);

test('mounts of a container whose image was damaged meanwhile are refused by file', async () => {
  let image = '';
  await withDaemon(async (client) => {
    image = await commitAndFind(client, 'bad');
    await client.prepare('default/8/on-bad', 'bad');
  });
  await truncate(image, 0);
  await withDaemon(async (client) => {
    expect((await failureOf(client.mounts('default/8/on-bad'))).details).toContain(image);
  });
});

test('damage that the superblock does not show is an error of the file alone, and nothing hangs', async () => {
  let image = '';
  await withDaemon(async (client) => {
    image = await commitAndFind(client, 'bad');
    await client.prepare('default/8/on-bad', 'bad');
  });
  const { size } = await stat(image);
  // Everything behind the superblock's block but the last block: directories, inodes and content.
  await overwrite(image, 2048, noise('noise', Math.min(size, 4096 + 512) - 2048));
  await withDaemon(async (client) => {
    await expect(readThrough(client, 'default/8/on-bad')).rejects.toThrow(/./);
    await commitAndFind(client, 'good');
    await client.prepare('default/9/on-good', 'good');
    expect(await readThrough(client, 'default/9/on-good')).toBe('content of good');
  });
});

test('an image that is replaced by another file is refused as a whole', async () => {
  let image = '';
  await withDaemon(async (client) => {
    image = await commitAndFind(client, 'bad');
  });
  await writeFile(image, noise('another file', 200_000));
  await withDaemon(async (client) => {
    expect((await failureOf(client.prepare('default/9/new', 'bad'))).details).toContain(image);
  });
});
