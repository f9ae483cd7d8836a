import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { cachedPages } from '../linux/page-cache';
import type { BackingId, NodeId } from './file-system';
import { OpenFlag } from './protocol/flags';
import { command, inClient, startClient } from './testing/client';
import { MemoryFileSystem, OpeningFileSystem, type MemoryNode } from './testing/memory-file-system';
import { CACHING, PASSING_THROUGH, ServedMount } from './testing/served-mount';
import { undisturbed } from '../linux/testing/undisturbed';

const O_PATH = 0o10000000;
const SIZE = 1_000_000;
const content = randomBytes(SIZE);
const digest = createHash('sha256').update(content).digest('hex');

/** The mount whose pages are used. */
let behind: ServedMount;
/** The mount that clients see: two of its files lead to the one file behind. */
let front: ServedMount;
let frontFiles: OpeningFileSystem;
let files: [MemoryNode, MemoryNode];
let backing: BackingId;
/** The backing id that an open of each file gets; `backing` where there is none here. */
let backingOf: Map<NodeId, BackingId>;

async function register(mount: ServedMount, file: string): Promise<BackingId> {
  const handle = await open(file, constants.O_RDONLY | O_PATH);
  try {
    return mount.device.openBacking(handle.fd);
  } finally {
    await handle.close();
  }
}

beforeEach(async () => {
  const pages = new MemoryFileSystem();
  pages.file(pages.root, 'pages', content);
  behind = await ServedMount.detached(pages);
  backingOf = new Map();
  frontFiles = new OpeningFileSystem((node) => ({
    flags: OpenFlag.PASSTHROUGH | OpenFlag.NOFLUSH,
    backingId: backingOf.get(node) ?? backing,
  }));
  // What the front says about these files is only their size: their bytes are never asked for.
  const hollow = Buffer.alloc(SIZE);
  files = [frontFiles.file(frontFiles.root, 'a', hollow), frontFiles.file(frontFiles.root, 'b', hollow)];
  front = await ServedMount.attached(frontFiles, PASSING_THROUGH);
  backing = await register(front, path.join(behind.root, 'pages'));
});

afterEach(async () => {
  // The front holds the file behind until its connection has ended.
  await front[Symbol.asyncDispose]();
  await behind[Symbol.asyncDispose]();
});

const inFront = (name: string): string => path.join(front.root, name);
const sha256 = async (name: string): Promise<string> =>
  (await command('sha256sum', [inFront(name)])).stdout.slice(0, 64);

async function allClosed(): Promise<void> {
  // RELEASE comes a moment after close(2).
  while (frontFiles.opened.size > 0) await delay(5);
}

test('reads come from the file behind, and warm ones reach neither server', async () => {
  await undisturbed(async () => {
    expect(await sha256('a')).toBe(digest);
    expect(behind.count('READ')).toBeGreaterThan(0);
    const [before, opens] = [behind.session.counts(), front.count('OPEN')];
    expect(await sha256('a')).toBe(digest);
    expect(await sha256('b')).toBe(digest);
    expect(behind.session.counts()).toEqual(before);
    expect(front.count('OPEN')).toBe(opens + 2);
    expect(front.count('READ')).toBe(0);
    expect(front.count('FLUSH')).toBe(0);
    await allClosed();
  });
});

test('the kernel keeps the bytes once, behind', async () => {
  await undisturbed(async () => {
    await Promise.all([sha256('a'), sha256('b')]);
    await using handle = await open(path.join(behind.root, 'pages'));
    expect(cachedPages(handle.fd, SIZE)).toBe(Math.ceil(SIZE / 4096));
    await using seen = await open(inFront('a'));
    // cachestat(2) of the file in front sees the pages of its own inode: there are none.
    expect(cachedPages(seen.fd, SIZE)).toBe(0);
  });
});

test.each(['private', 'shared'])('a %s mapping shows the pages behind', async (how) => {
  await undisturbed(async () => {
    expect(await inClient('mapped', inFront('a'), how)).toBe(digest);
    const before = behind.count('READ');
    expect(before).toBeGreaterThan(0);
    expect(await inClient('mapped', inFront('b'), how)).toBe(digest);
    expect(behind.count('READ')).toBe(before);
    expect(front.count('READ')).toBe(0);
  });
});

test('a file may be open many times with one backing id', async () => {
  const handles = await Promise.all(Array.from({ length: 8 }, () => open(inFront('a'))));
  expect(frontFiles.opened.get(files[0].id)).toBe(8);
  for (const handle of handles) {
    const { buffer } = await handle.read(Buffer.alloc(100), 0, 100, 5000);
    expect(buffer).toEqual(content.subarray(5000, 5100));
    await handle.close();
  }
  await allClosed();
});

test('another registration of the same file is refused while the first is in use, and taken afterwards', async () => {
  const another = await register(front, path.join(behind.root, 'pages'));
  expect(another).not.toBe(backing);
  const handle = await open(inFront('a'));
  backingOf.set(files[0].id, another);
  await expect(open(inFront('a'))).rejects.toMatchObject({ code: 'EIO' });
  await handle.close();
  await allClosed();
  expect(await sha256('a')).toBe(digest);
});

test('a backing id that does not exist is EIO for the client', async () => {
  backingOf.set(files[0].id, (backing + 1000) as BackingId);
  expect(await inClient('read', inFront('a'))).toBe('EIO');
  expect(await sha256('b')).toBe(digest);
});

test('a backing id may be given back while files are open on it: they stay readable, new ones fail', async () => {
  const { client, result } = startClient('readLater', inFront('a'));
  await new Promise((resolve) => client.child.stderr?.once('data', resolve));
  front.device.closeBacking(backing);
  expect(await inClient('read', inFront('b'))).toBe('EIO');
  client.child.stdin?.end('go on\n');
  expect(await result).toBe(digest);
});

test('a backing id that was given back cannot be given back again', () => {
  front.device.closeBacking(backing);
  expect(() => front.device.closeBacking(backing)).toThrow(/FUSE_DEV_IOC_BACKING_CLOSE.*ENOENT/);
});

test('a reader that is killed gives its file back', async () => {
  const { client, result } = startClient('readLater', inFront('a'));
  const ended = expect(result).rejects.toMatchObject({ signal: 'SIGKILL' });
  await new Promise((resolve) => client.child.stderr?.once('data', resolve));
  expect(frontFiles.opened.get(files[0].id)).toBe(1);
  client.child.kill('SIGKILL');
  await ended;
  await allClosed();
});

test('files are never opened for writing', async () => {
  await expect(open(inFront('a'), 'r+')).rejects.toMatchObject({ code: 'EROFS' });
  expect(front.count('OPEN')).toBe(0);
});

test('what cannot be behind is refused with the reason', async () => {
  await expect(register(front, behind.root)).rejects.toThrow(/FUSE_DEV_IOC_BACKING_OPEN.*(EISDIR|EINVAL)/);
  // A file that passes through itself is one level too deep.
  await expect(register(front, inFront('a'))).rejects.toThrow(/ELOOP/);
  expect(() => front.device.openBacking(100_000)).toThrow(/fd 100000: EBADF/);
});

test('without an agreement about passthrough nothing can be registered, and files are read as usual', async () => {
  const plain = new MemoryFileSystem();
  plain.file(plain.root, 'file', 'content');
  await using served = await ServedMount.attached(plain, {
    ...PASSING_THROUGH,
    capabilities: CACHING.capabilities,
  });
  expect((await served.session.negotiated).capabilities.has('PASSTHROUGH')).toBe(false);
  await expect(register(served, path.join(behind.root, 'pages'))).rejects.toThrow(/EPERM/);
  expect(await readFile(path.join(served.root, 'file'), 'utf8')).toBe('content');
});
