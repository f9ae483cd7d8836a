import { createHash, randomBytes } from 'node:crypto';
import { open, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Wishes } from './negotiation';
import { command, inClient } from './testing/client';
import { MemoryFileSystem } from './testing/memory-file-system';
import { CACHING, ServedMount } from './testing/served-mount';
import { undisturbed } from '../linux/testing/undisturbed';

let fileSystem: MemoryFileSystem;
let served: ServedMount;
let openGate: () => void;

beforeEach(() => {
  fileSystem = new MemoryFileSystem();
  openGate = () => undefined;
});

afterEach(async () => {
  // A session waits for the answers that are still under way.
  openGate();
  await served[Symbol.asyncDispose]();
});

function withoutReadAhead(): Wishes {
  return { ...CACHING, capabilities: CACHING.capabilities.filter((name) => name !== 'ASYNC_READ') };
}

const inMount = (name: string): string => path.join(served.root, name);
const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** READs wait until openGate() is called. Resolves when the first one waits. */
function closeGate(): Promise<void> {
  const opened = new Promise<void>((resolve) => (openGate = resolve));
  return new Promise((reached) => {
    fileSystem.beforeRead = () => {
      reached();
      return opened;
    };
  });
}

test.each([0, 1, 4095, 4096, 4097, 131_072, 3_000_001])(
  'a file of %i bytes is read as it is',
  async (size) => {
    const content = randomBytes(size);
    fileSystem.file(fileSystem.root, 'file', content);
    served = await ServedMount.attached(fileSystem);
    expect(digest(await readFile(inMount('file')))).toBe(digest(content));
    expect(await inClient('mapped', inMount('file'), 'private').catch(() => 'empty')).toBe(
      size === 0 ? 'empty' : digest(content),
    );
  },
);

test('a file that was read is read from the page cache, also after it was opened again', async () => {
  fileSystem.file(fileSystem.root, 'file', randomBytes(1_000_000));
  served = await ServedMount.attached(fileSystem);
  await undisturbed(async () => {
    await command('cat', [inMount('file')], { encoding: 'latin1' });
    expect(served.count('READ')).toBeGreaterThan(0);
    const again = await served.requestsOf(() => command('sha256sum', [inMount('file')]));
    expect(again).toEqual({});
  });
});

test('holes and data are found', async () => {
  const content = Buffer.alloc(10 * 4096 + 100);
  content.fill(1, 4096, 3 * 4096);
  content.fill(2, 8 * 4096, 9 * 4096);
  fileSystem.file(fileSystem.root, 'file', content);
  served = await ServedMount.attached(fileSystem);
  expect(await inClient('dataRanges', inMount('file'))).toEqual([
    [4096, 3 * 4096],
    [8 * 4096, 9 * 4096],
  ]);
});

test('a position far beyond the end, which everybody may seek, leads nowhere and is no fault', async () => {
  fileSystem.file(fileSystem.root, 'file', Buffer.alloc(5000, 1));
  const directory = fileSystem.directory(fileSystem.root, 'directory');
  fileSystem.file(directory, 'entry', '');
  served = await ServedMount.attached(fileSystem);
  expect(await inClient('atFarPosition', inMount('file'))).toBe('ENXIO');
  expect(await inClient('atFarPosition', inMount('directory'))).toBe(0);
  expect(served.count('LSEEK')).toBe(1);
  expect(served.faults).toEqual([]);
});

test('a file system that knows no holes has files full of data', async () => {
  fileSystem.file(fileSystem.root, 'file', Buffer.alloc(5000));
  Object.defineProperty(fileSystem, 'seek', { value: undefined });
  served = await ServedMount.attached(fileSystem);
  expect(await inClient('dataRanges', inMount('file'))).toEqual([[0, 5000]]);
  expect(await inClient('dataRanges', inMount('file'))).toEqual([[0, 5000]]);
  expect(served.count('LSEEK')).toBe(1);
});

test('a READ that takes its time keeps nobody else waiting', async () => {
  fileSystem.file(fileSystem.root, 'slow', 'slow content');
  fileSystem.symlink(fileSystem.root, 'link', 'target');
  served = await ServedMount.attached(fileSystem);
  const reached = closeGate();
  const slow = command('cat', [inMount('slow')]);
  await reached;
  expect((await command('readlink', [inMount('link')])).stdout).toBe('target\n');
  await stat(inMount('slow'));
  openGate();
  expect((await slow).stdout).toBe('slow content');
});

test('READs overlap, and each gets its own answer', async () => {
  const names = Array.from({ length: 40 }, (_, index) => `file${index}`);
  for (const name of names) fileSystem.file(fileSystem.root, name, name.repeat(100));
  served = await ServedMount.attached(fileSystem);
  let waiting = 0;
  let most = 0;
  fileSystem.beforeRead = async ({ id }) => {
    waiting += 1;
    most = Math.max(most, waiting);
    // The later ones are answered first.
    await delay(5 + (60 - id));
    waiting -= 1;
  };
  const readers = names.map((name) => command('cat', [inMount(name)]));
  expect((await Promise.all(readers)).map(({ stdout }) => stdout)).toEqual(
    names.map((name) => name.repeat(100)),
  );
  expect(most).toBeGreaterThan(1);
});

test.each([
  // In the background, where no signal gets: the reader waits for the page, not for the request.
  ['read ahead', CACHING, false],
  // By the reader itself, so that the kernel sends an INTERRUPT behind it.
  ['read at once', withoutReadAhead(), true],
] as const)(
  'a signal in the middle of a READ does not touch its data: %s',
  async (_how, wishes, interrupts) => {
    const content = randomBytes(300_000);
    fileSystem.file(fileSystem.root, 'file', content);
    served = await ServedMount.attached(fileSystem, wishes);
    const reached = closeGate();
    // dd(1) prints its progress on SIGUSR1 and goes on.
    const reader = command('dd', ['bs=64k', `if=${inMount('file')}`], { encoding: 'latin1' });
    await reached;
    reader.child.kill('SIGUSR1');
    while (interrupts && served.count('INTERRUPT') === 0) await delay(5);
    openGate();
    const { stdout, stderr } = await reader;
    expect(digest(Buffer.from(stdout, 'latin1'))).toBe(digest(content));
    // Once for the signal, once at the end.
    expect(stderr.match(/records in/g)).toHaveLength(2);
    expect(served.faults).toEqual([]);
  },
);

test('a client that is killed in the middle of a READ leaves the session serving', async () => {
  fileSystem.file(fileSystem.root, 'file', 'content');
  fileSystem.file(fileSystem.root, 'other', 'other content');
  served = await ServedMount.attached(fileSystem);
  const reached = closeGate();
  const reader = command('cat', [inMount('file')]);
  const ended = expect(reader).rejects.toMatchObject({ signal: 'SIGKILL' });
  await reached;
  reader.child.kill('SIGKILL');
  openGate();
  await ended;
  expect((await command('cat', [inMount('other')])).stdout).toBe('other content');
  expect((await command('cat', [inMount('file')])).stdout).toBe('content');
  expect(served.faults).toEqual([]);
});

test('more calls wait for this process than its thread pool has threads, and all are answered', async () => {
  const names = Array.from({ length: 100 }, (_, index) => `file${index}`);
  for (const name of names) fileSystem.file(fileSystem.root, name, name);
  served = await ServedMount.attached(fileSystem);
  const lookup = fileSystem.lookup.bind(fileSystem);
  fileSystem.lookup = async (parent, name) => {
    await delay(5);
    return lookup(parent, name);
  };
  const found = await Promise.all(names.map((name) => stat(inMount(name))));
  expect(found.map(({ size }) => size)).toEqual(names.map((name) => name.length));
});

test('a READ asks for no more than the file has, and from where the reader is', async () => {
  const file = fileSystem.file(fileSystem.root, 'file', randomBytes(100_000));
  served = await ServedMount.attached(fileSystem);
  await using handle = await open(inMount('file'));
  const { buffer } = await handle.read(Buffer.alloc(10), 0, 10, 99_000);
  expect(buffer).toEqual(file.content.subarray(99_000, 99_010));
  for (const { offset, length } of fileSystem.reads) {
    expect(offset % 4096).toBe(0);
    expect(length % 4096).toBe(0);
    expect(offset).toBeLessThan(100_000);
  }
});
