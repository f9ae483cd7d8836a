import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { readMountTable } from '../linux/mount-table';
import type { Domain, LayerAttachment } from './layer-server';
import { probeCachedBytes } from './worker/cache-probe';
import { EngineClient } from './worker/engine-client';

const run = promisify(execFile);
const FIXTURES = path.join(__dirname, '../../test/fixtures/erofs');
const domain: Domain = { id: 1, name: 'team', token: 'a1b2', secret: Buffer.alloc(32, 7) };
const other: Domain = { id: 2, name: 'others', token: 'c3d4', secret: Buffer.alloc(32, 8) };

let directory: string;
let engine: EngineClient;
let nextId = 1;

async function start(passthrough: boolean, onCrash = rethrow): Promise<EngineClient> {
  return EngineClient.start(
    { imagesDirectory: directory, passthrough, readAheadKib: 128, metadataCacheBytes: 1 << 20 },
    () => undefined,
    onCrash,
  );
}

function rethrow(error: Error): void {
  throw error;
}

function layer(file: string, inDomain: Domain | undefined): LayerAttachment {
  const attachmentId = nextId++;
  const imagePath = path.join(FIXTURES, file);
  return {
    attachmentId,
    imagePath,
    label: file,
    domain: inDomain,
    nodeRange: attachmentId,
    inoBase: attachmentId * 100_000,
    inoCount: 100_000,
  };
}

/** Reads in a process of its own, as containers do. */
async function digestOf(file: string): Promise<string> {
  const { stdout } = await run('sha256sum', [file], { timeout: 10_000 });
  return stdout.slice(0, 64);
}

async function ishareReads(): Promise<number> {
  return (await engine.state()).requests.ishare['READ'] ?? 0;
}

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'engine-'));
});

afterEach(async () => {
  await engine[Symbol.asyncDispose]();
  expect((await readMountTable()).filter(({ target }) => target === directory)).toEqual([]);
  await rm(directory, { recursive: true });
});

test('two images of a domain read a common file into one set of pages', async () => {
  engine = await start(true);
  const first = await engine.attach(layer('plain-fp.erofs', domain));
  const second = await engine.attach(layer('plain-fp-default.erofs', domain));
  const wanted = createHash('sha256')
    .update(await readFile(path.join(FIXTURES, 'src/a.txt')))
    .digest('hex');
  expect(await digestOf(`${first}/a.txt`)).toBe(wanted);
  const reads = await ishareReads();
  expect(reads).toBeGreaterThan(0);
  expect(await digestOf(`${second}/a.txt`)).toBe(wanted);
  expect(await digestOf(`${second}/dir/a-copy.txt`)).toBe(wanted);
  expect(await ishareReads()).toBe(reads);
});

test('images in two domains share nothing, with right bytes in both', async () => {
  engine = await start(true);
  const mine = await engine.attach(layer('plain-fp.erofs', domain));
  const theirs = await engine.attach(layer('plain-fp-default.erofs', other));
  const digest = await digestOf(`${mine}/rand.bin`);
  const reads = await ishareReads();
  expect(await digestOf(`${theirs}/rand.bin`)).toBe(digest);
  expect(await ishareReads()).toBeGreaterThan(reads);
});

test('an image in no domain, or without fingerprints, is served without the ishare mount', async () => {
  engine = await start(true);
  const paths = [
    await engine.attach(layer('plain-fp.erofs', undefined)),
    await engine.attach(layer('plain.erofs', domain)),
  ];
  const reads = await ishareReads();
  for (const root of paths)
    expect(await digestOf(`${root}/rand.bin`)).toBe(await digestOf(path.join(FIXTURES, 'src/rand.bin')));
  expect(await ishareReads()).toBe(reads);
});

test('with passthrough switched off files are right and nothing is shared', async () => {
  engine = await start(false);
  const root = await engine.attach(layer('plain-fp.erofs', domain));
  expect((await engine.state()).passthrough).toBe(false);
  expect(await digestOf(`${root}/a.txt`)).toBe(await digestOf(path.join(FIXTURES, 'src/a.txt')));
  expect(await ishareReads()).toBe(0);
});

test('the kernel counts the cached pages of each shared inode', async () => {
  engine = await start(true);
  const root = await engine.attach(layer('plain-fp.erofs', domain));
  await digestOf(`${root}/a.txt`);
  const { inodes } = await engine.inventory();
  const cached = await probeCachedBytes((await engine.state()).ishareMount, inodes);
  const whole = inodes.findIndex(({ size }) => size === 100_003);
  const untouched = inodes.findIndex(({ size }) => size === 20_000);
  expect(cached[whole]).toBe(Math.ceil(100_003 / 4096) * 4096);
  expect(cached[untouched]).toBe(0);
});

test('inode numbers of two images on the one mount never meet', async () => {
  engine = await start(true);
  const first = await engine.attach(layer('plain-fp.erofs', domain));
  const second = await engine.attach(layer('plain-fp.erofs', domain));
  const [a, b] = [await stat(`${first}/a.txt`), await stat(`${second}/a.txt`)];
  expect(a.dev).toBe(b.dev);
  expect(a.ino).not.toBe(b.ino);
});

test('a detached image is gone by name, and a file that is open on it stays readable', async () => {
  engine = await start(true);
  const attached = layer('plain-fp.erofs', domain);
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
  await expectEventually(async () => (await engine.inventory()).inodes.length, 0);
});

test('a listing shows what was attached and detached since the last one', async () => {
  engine = await start(true);
  const first = layer('plain-fp.erofs', domain);
  const parent = path.dirname(await engine.attach(first));
  expect(await readdir(parent)).toEqual([String(first.attachmentId)]);
  const second = layer('bs512.erofs', domain);
  await engine.attach(second);
  expect(await readdir(parent)).toEqual([first, second].map(({ attachmentId }) => String(attachmentId)));
  await engine.detach(first.attachmentId);
  expect(await readdir(parent)).toEqual([String(second.attachmentId)]);
});

test('a mount that somebody takes away is noticed', async () => {
  const lost = new Promise<Error>((resolve) => {
    void start(true, resolve).then((started) => {
      engine = started;
      return run('umount', [directory]);
    });
  });
  expect((await lost).message).toBe('the images mount was unmounted or its connection aborted');
});

test('an image that comes after another in the same range of node ids is another image to the kernel', async () => {
  engine = await start(true);
  const first = layer('plain-fp.erofs', domain);
  const second = { ...layer('bs512.erofs', domain), nodeRange: first.nodeRange };
  const old = await stat(`${await engine.attach(first)}/a.txt`);
  await engine.detach(first.attachmentId);
  const root = await engine.attach(second);
  expect((await stat(`${root}/a.txt`)).ino).not.toBe(old.ino);
  expect(await digestOf(`${root}/a.txt`)).toBe(await digestOf(path.join(FIXTURES, 'src/a.txt')));
});

test('attaching what is attached changes nothing, and so does detaching what is not', async () => {
  engine = await start(true);
  const attached = layer('plain-fp.erofs', domain);
  expect(await engine.attach(attached)).toBe(await engine.attach(attached));
  expect((await engine.inventory()).images).toHaveLength(1);
  await engine.detach(attached.attachmentId);
  await engine.detach(attached.attachmentId);
  expect((await engine.inventory()).images).toHaveLength(0);
});

test('an image that is none is refused by name, and the mount goes on serving', async () => {
  engine = await start(true);
  const broken = { ...layer('src.tar', domain) };
  await expect(engine.attach(broken)).rejects.toThrow('src.tar');
  const root = await engine.attach(layer('plain-fp.erofs', domain));
  expect(await readFile(`${root}/empty`)).toHaveLength(0);
});

async function expectEventually(look: () => Promise<number>, wanted: number): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    if ((await look()) === wanted) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(await look()).toBe(wanted);
}
