import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { digestOf, EnginePlace, FIXTURES, OTHERS, TEAM } from './testing/engine-place';

const run = promisify(execFile);

test('two images of a domain read a common file into one set of pages', async () => {
  await using place = await EnginePlace.start();
  const { engine } = place;
  const first = await engine.attach(place.layer('plain-fp.erofs', TEAM));
  const second = await engine.attach(place.layer('plain-fp-default.erofs', TEAM));
  const wanted = createHash('sha256')
    .update(await readFile(path.join(FIXTURES, 'src/a.txt')))
    .digest('hex');
  expect(await digestOf(`${first}/a.txt`)).toBe(wanted);
  const reads = await place.dedupReads();
  expect(reads).toBeGreaterThan(0);
  expect(await digestOf(`${second}/a.txt`)).toBe(wanted);
  expect(await digestOf(`${second}/dir/a-copy.txt`)).toBe(wanted);
  expect(await place.dedupReads()).toBe(reads);
});

test('images in two domains share nothing, with right bytes in both', async () => {
  await using place = await EnginePlace.start();
  const { engine } = place;
  const mine = await engine.attach(place.layer('plain-fp.erofs', TEAM));
  const theirs = await engine.attach(place.layer('plain-fp-default.erofs', OTHERS));
  const digest = await digestOf(`${mine}/rand.bin`);
  const reads = await place.dedupReads();
  expect(await digestOf(`${theirs}/rand.bin`)).toBe(digest);
  expect(await place.dedupReads()).toBeGreaterThan(reads);
});

test('an image in no domain, or without fingerprints, is served without the ishare mount', async () => {
  await using place = await EnginePlace.start();
  const { engine } = place;
  const paths = [
    await engine.attach(place.layer('plain-fp.erofs', undefined)),
    await engine.attach(place.layer('plain.erofs', TEAM)),
  ];
  const reads = await place.dedupReads();
  for (const root of paths)
    expect(await digestOf(`${root}/rand.bin`)).toBe(await digestOf(path.join(FIXTURES, 'src/rand.bin')));
  expect(await place.dedupReads()).toBe(reads);
});

test('the kernel counts the cached pages of each shared inode', async () => {
  await using place = await EnginePlace.start();
  const { engine } = place;
  const root = await engine.attach(place.layer('plain-fp.erofs', TEAM));
  await digestOf(`${root}/a.txt`);
  const { inodes } = await engine.measure();
  const cachedOf = (wanted: number) => inodes.find(({ size }) => size === wanted)?.cachedBytes;
  expect(cachedOf(100_003)).toBe(Math.ceil(100_003 / 4096) * 4096);
  expect(cachedOf(20_000)).toBe(0);
});

test('inode numbers of two images on the one mount never meet', async () => {
  await using place = await EnginePlace.start();
  const { engine } = place;
  const first = await engine.attach(place.layer('plain-fp.erofs', TEAM));
  const second = await engine.attach(place.layer('plain-fp.erofs', TEAM));
  const [a, b] = [await stat(`${first}/a.txt`), await stat(`${second}/a.txt`)];
  expect(a.dev).toBe(b.dev);
  expect(a.ino).not.toBe(b.ino);
});

test('a detached image is gone by name, and a file that is open on it stays readable', async () => {
  await using place = await EnginePlace.start();
  const { engine } = place;
  const attached = place.layer('plain-fp.erofs', TEAM);
  const root = await engine.attach(attached);
  // The reader opens the file, waits, and reads it after the image was detached.
  const reader = run(
    'sh',
    ['-c', 'exec 3<"$1"; echo open >&2; read line; sha256sum <&3', 'sh', `${root}/rand.bin`],
    {
      timeout: 10_000,
    },
  );
  await new Promise((resolve) => reader.child.stderr?.once('data', resolve));
  await engine.detach(attached.attachmentId);
  await expect(stat(`${root}/a.txt`)).rejects.toMatchObject({ code: 'ENOENT' });
  reader.child.stdin?.end('go\n');
  expect((await reader).stdout.slice(0, 64)).toBe(await digestOf(path.join(FIXTURES, 'src/rand.bin')));
  await expectEventually(async () => (await engine.measure()).inodes.length, 0);
});

test('a listing shows what was attached and detached since the last one', async () => {
  await using place = await EnginePlace.start();
  const { engine } = place;
  const first = place.layer('plain-fp.erofs', TEAM);
  const parent = path.dirname(await engine.attach(first));
  expect(await readdir(parent)).toEqual([String(first.attachmentId)]);
  const second = place.layer('bs512.erofs', TEAM);
  await engine.attach(second);
  expect(await readdir(parent)).toEqual([first, second].map(({ attachmentId }) => String(attachmentId)));
  await engine.detach(first.attachmentId);
  expect(await readdir(parent)).toEqual([String(second.attachmentId)]);
});

test('a mount that somebody takes away is noticed', async () => {
  let notice: (error: Error) => void = () => undefined;
  const lost = new Promise<Error>((resolve) => (notice = resolve));
  await using place = await EnginePlace.start({}, { onLost: (error) => notice(error) });
  await run('umount', [place.imagesDirectory]);
  expect((await lost).message).toBe('the images mount was unmounted or its connection aborted');
});

test('an image that comes after another in the same range of node ids is another image to the kernel', async () => {
  await using place = await EnginePlace.start();
  const { engine } = place;
  const first = place.layer('plain-fp.erofs', TEAM);
  const second = { ...place.layer('bs512.erofs', TEAM), nodeRange: first.nodeRange };
  const old = await stat(`${await engine.attach(first)}/a.txt`);
  await engine.detach(first.attachmentId);
  const root = await engine.attach(second);
  expect((await stat(`${root}/a.txt`)).ino).not.toBe(old.ino);
  expect(await digestOf(`${root}/a.txt`)).toBe(await digestOf(path.join(FIXTURES, 'src/a.txt')));
});

test('attaching what is attached changes nothing, and so does detaching what is not', async () => {
  await using place = await EnginePlace.start();
  const { engine } = place;
  const attached = place.layer('plain-fp.erofs', TEAM);
  expect(await engine.attach(attached)).toBe(await engine.attach(attached));
  expect(await engine.attachedImages()).toHaveLength(1);
  await engine.detach(attached.attachmentId);
  await engine.detach(attached.attachmentId);
  expect(await engine.attachedImages()).toHaveLength(0);
});

test('an image that is none is refused by name, and the mount goes on serving', async () => {
  await using place = await EnginePlace.start();
  const { engine } = place;
  const broken = { ...place.layer('src.tar', TEAM) };
  await expect(engine.attach(broken)).rejects.toThrow('src.tar');
  const root = await engine.attach(place.layer('plain-fp.erofs', TEAM));
  expect(await readFile(`${root}/empty`)).toHaveLength(0);
});

async function expectEventually(look: () => Promise<number>, wanted: number): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    if ((await look()) === wanted) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(await look()).toBe(wanted);
}
