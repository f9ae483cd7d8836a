import { createHash } from 'node:crypto';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { credentials, status } from '@grpc/grpc-js';
import { residentPages } from '../../linux/page-cache';
import { connectAdmin } from '../../proto/admin';
import type { DropCacheResponse, WarmCacheResponse } from '../../proto/admin-messages';
import { runCommand } from '../../scripts/process/command';
import { IshareCommand } from '../harness/ishare-command';
import { MemoryCgroup } from '../harness/memory-cgroup';
import { mountSnapshot } from '../harness/mounting';
import { Ownership } from '../harness/ownership';
import { noise } from '../harness/noise';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { repeatedCheck } from '../harness/repeated-check';
import { DaemonPlace } from './daemon-place';
import { commitFiles } from './layers';

const PAGE = 4096;
const BIG = 8 << 20;
const SMALL = PAGE + 1;

/** Control groups of the daemon and of a reader, where this machine can charge memory to groups. */
let daemons: MemoryCgroup | undefined;
let readers: MemoryCgroup | undefined;
let place: DaemonPlace;
let ishare: IshareCommand;
let client: SnapshotsConnection;
/** What a test has mounted. */
let mounted: Ownership;

beforeAll(async () => {
  daemons = await MemoryCgroup.make('ishare-daemon');
  readers = await MemoryCgroup.make('ishare-reader');
  place = await DaemonPlace.create('[domains.namespaces]\none = "first"\ntwo = "second"\n');
  await place.start({ prefix: daemons?.prefix ?? [] });
  ishare = new IshareCommand(place.flags['admin-address']);
  client = new SnapshotsConnection(place.flags.address);
});

beforeEach(() => {
  mounted = new Ownership();
});

afterEach(async () => {
  await mounted[Symbol.asyncDispose]();
});

afterAll(async () => {
  client[Symbol.dispose]();
  await place[Symbol.asyncDispose]();
  await daemons?.[Symbol.asyncDispose]();
  await readers?.[Symbol.asyncDispose]();
});

/** An image with files of its own: a big one, a small one and one without pages. */
interface TestImage {
  readonly name: string;
  readonly big: Buffer;
  readonly small: Buffer;
  readonly fingerprint: string;
}

async function makeImage(name: string): Promise<TestImage> {
  const big = noise(`big of ${name}`, BIG);
  const small = noise(`small of ${name}`, SMALL);
  await commitFiles(client, name, { big, small, empty: '' });
  return { name, big, small, fingerprint: createHash('sha256').update(big).digest('hex') };
}

/** Mounts what a container would have, and gives its root directory. */
async function startContainer(namespace: string, image: string): Promise<string> {
  const key = `${namespace}/1/of ${image}`;
  const target = place.in(key.replaceAll('/', '-').replaceAll(' ', '-'));
  const rootfs = await mountSnapshot(await client.prepare(key, image), target);
  mounted.own({
    [Symbol.asyncDispose]: async () => {
      rootfs[Symbol.dispose]();
      await client.remove(key);
    },
  });
  return rootfs.path;
}

async function cachedPages(path: string, size: number): Promise<number> {
  await using file = await open(path);
  return residentPages(file.fd, size);
}

function drop(...words: string[]): Promise<DropCacheResponse> {
  return ishare.json('cache', 'drop', ...words);
}

test('drop lets go of the pages that are asked for, and of no others', async () => {
  const image = await makeImage('dropped');
  const roots = [await startContainer('one', image.name), await startContainer('two', image.name)];
  const readAll = (): Promise<Buffer[]> => Promise.all(roots.map((root) => readFile(join(root, 'big'))));
  const counts = (): Promise<number[]> =>
    Promise.all(roots.map((root) => cachedPages(join(root, 'big'), BIG)));
  await repeatedCheck(async () => {
    await readAll();
    expect(await drop('--domain', 'first')).toEqual({ inodes: 2, dropped_bytes: BIG, kept_bytes: 0 });
    expect(await counts()).toEqual([0, BIG / PAGE]);
  });
  await repeatedCheck(async () => {
    await readAll();
    await readFile(join(roots[0]!, 'small'));
    const both = { inodes: 2, dropped_bytes: 2 * BIG, kept_bytes: 0 };
    expect(await drop('--inode', image.fingerprint.slice(0, 8))).toEqual(both);
    expect(await counts()).toEqual([0, 0]);
    expect(await cachedPages(join(roots[0]!, 'small'), SMALL)).toBe(2);
  });
  await repeatedCheck(async () => {
    await readAll();
    expect(await drop('--image', image.name)).toMatchObject({ inodes: 4 });
    expect(await counts()).toEqual([0, 0]);
    await readAll();
    expect(await ishare.text('cache', 'drop', '--all')).toBe('Dropped 16.0 MiB of 4 inodes.\n');
    expect((await ishare.status()).cached_bytes).toBe(0);
  });
  for (const content of await readAll()) expect(content.equals(image.big)).toBe(true);
});

test('warm reads all shared files of an image, and reading them causes no request then', async () => {
  const image = await makeImage('warmed');
  const root = await startContainer('one', image.name);
  await repeatedCheck(async () => {
    expect(await ishare.json<WarmCacheResponse>('cache', 'warm', image.name)).toEqual({
      files: 2,
      files_done: 2,
      bytes: BIG + SMALL,
      bytes_done: BIG + SMALL,
      cached_bytes: BIG + 2 * PAGE,
      skipped: [],
    });
    const before = await ishare.reads();
    expect((await readFile(join(root, 'big'))).equals(image.big)).toBe(true);
    expect((await readFile(join(root, 'small'))).equals(image.small)).toBe(true);
    expect(await ishare.reads()).toBe(before);
  });
});

test('warm reads the files of a list, and tells which of them it cannot', async () => {
  const { name } = await makeImage('listed');
  const root = await startContainer('one', name);
  await writeFile(place.in('list'), '/small\nmissing\n\n/\nempty\n');
  const { exitCode, stdout } = await ishare.run('cache', 'warm', name, '--files', place.in('list'));
  expect(exitCode).toBe(1);
  expect(stdout.split('\n')).toEqual([
    'Not read: missing: no such file or directory',
    'Not read: /: it is a directory',
    'Not read: empty: not shared (ishare explain tells why)',
    '1 shared file read, 8.0 KiB are in the page cache.',
    '',
  ]);
  expect(await cachedPages(join(root, 'big'), BIG)).toBe(0);
  const { stderr } = await ishare.run('cache', 'warm', name, '--files', place.in('no list'));
  expect(stderr).toContain('no list: the list cannot be read: ENOENT');
});

test('warm wants an image that is attached in a domain, and one of several by name', async () => {
  const { name } = await makeImage('apart');
  const none = await ishare.run('cache', 'warm', name);
  expect(none.exitCode).toBe(1);
  expect(none.stderr).toMatch(/^ishare: "apart" is not attached in a domain: run a container .*\n$/);
  await startContainer('one', name);
  await startContainer('two', name);
  const several = await ishare.run('cache', 'warm', name);
  expect(several.stderr).toBe(
    'ishare: "apart" is attached in several domains: choose one of first, second (--domain)\n',
  );
  expect(await ishare.json('cache', 'warm', name, '--domain', 'second')).toMatchObject({ files: 2 });
  const other = await ishare.run('cache', 'warm', name, '--domain', 'third');
  expect(other.stderr).toContain('"apart" is not attached in the domain "third"');
});

test.each([
  [['drop'], 'drop takes one of --domain, --image, --inode and --all'],
  [['drop', '--all', '--domain', 'first'], 'drop takes one of'],
  [['drop', '--inode', '1234567'], '"1234567" is no fingerprint'],
  [['drop', '--image', 'nothing'], 'there is no snapshot "nothing"'],
])('cache %j is an error that says so', async (words, reason) => {
  const { exitCode, stderr } = await ishare.run('cache', ...words);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(reason);
});

test('whoever calls warm off is left alone with what is read so far', async () => {
  const files = Array.from(
    { length: 4 },
    (_, index) => [`file ${index}`, noise(`${index}`, 48 << 20)] as const,
  );
  await commitFiles(client, 'large', Object.fromEntries(files));
  await startContainer('one', 'large');
  const admin = connectAdmin(`unix:${place.flags['admin-address']}`, credentials.createInsecure());
  const call = admin.WarmCache({ image: 'large' });
  const ended = new Promise<number>((resolve) => {
    call.on('error', (error: Error & { code: number }) => resolve(error.code));
    call.on('data', () => call.cancel());
  });
  expect(await ended).toBe(status.CANCELLED);
  admin.close();
  await ishare.status();
  const log = await readFile(place.in('daemon-0.log'), 'utf8');
  expect(log).not.toMatch(
    /read an image into the page cache.*"image":"large"|"image":"large".*read an image/,
  );
  expect(log).not.toContain('an admin request failed');
});

test('pages that warm reads are charged to the daemon, and not to whoever reads them first', async () => {
  if (daemons === undefined || readers === undefined) {
    process.stderr.write('skipped: this machine has no memory controller to make groups in\n');
    return;
  }
  const groups = [daemons, readers];
  const growth = async (work: () => Promise<unknown>): Promise<number[]> => {
    const before = await Promise.all(groups.map((group) => group.cachedBytes()));
    await work();
    const after = await Promise.all(groups.map((group) => group.cachedBytes()));
    return after.map((bytes, index) => bytes - before[index]!);
  };
  const { name } = await makeImage('charged');
  const path = join(await startContainer('one', name), 'big');
  const [program, ...words] = readers.prefix;
  const read = (): Promise<unknown> => runCommand(program, [...words, 'cat', path]);
  const [warmed, _others] = await growth(() => ishare.json('cache', 'warm', name));
  expect(warmed).toBeGreaterThanOrEqual(BIG * 0.9);
  expect((await growth(read))[1]).toBeLessThan(BIG * 0.1);
  await drop('--all');
  expect((await growth(read))[1]).toBeGreaterThanOrEqual(BIG * 0.9);
});
