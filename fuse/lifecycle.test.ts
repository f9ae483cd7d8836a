import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, readlink, rmdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { unmount, UMOUNT } from '../linux/mount';
import { readMountTable } from '../linux/mount-table';
import { abortConnection, waitingRequests } from './connection-control';
import { command } from './testing/client';
import { MemoryFileSystem } from './testing/memory-file-system';
import { ServedMount } from './testing/served-mount';

const SERVER = path.join(__dirname, 'testing/server-program.js');

let fileSystem: MemoryFileSystem;
const cleanups: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  fileSystem = new MemoryFileSystem();
  fileSystem.file(fileSystem.root, 'file', 'content');
});

afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function serve(way: 'attached' | 'detached'): Promise<ServedMount> {
  const served = await ServedMount[way](fileSystem);
  cleanups.push(() => served[Symbol.asyncDispose]());
  return served;
}

async function descriptors(): Promise<string[]> {
  const numbers = await readdir('/proc/self/fd');
  const targets = await Promise.all(
    // The descriptor by which this directory is read is gone by now.
    numbers.map((number) => readlink(`/proc/self/fd/${number}`).catch(() => undefined)),
  );
  return targets.filter((target) => target !== undefined).sort();
}

test('umount(2) ends run()', async () => {
  const served = await serve('attached');
  unmount(served.root);
  await served.ran;
  await served.session.negotiated;
});

test('closing the descriptor of a detached mount ends run()', async () => {
  const served = await serve('detached');
  await served[Symbol.asyncDispose]();
  expect(await waitingRequests(served.minor)).toBeUndefined();
});

test('stopping the device ends run(), and clients get an error once it is closed', async () => {
  const served = await serve('attached');
  const { root } = served;
  served.device.stop();
  await served.ran;
  const late = command('stat', [path.join(root, 'missing')]);
  const refused = expect(late).rejects.toThrow(/not connected|Software caused connection abort/);
  while ((await waitingRequests(served.minor)) === 0);
  served.device[Symbol.dispose]();
  await refused;
});

test('a connection that is aborted ends run(), and its mount fails at once', async () => {
  const served = await serve('attached');
  expect(await abortConnection(served.minor)).toBe(true);
  await served.ran;
  await expect(stat(path.join(served.root, 'file'))).rejects.toMatchObject({ code: 'ENOTCONN' });
});

test('a connection that does not exist cannot be aborted and has no requests', async () => {
  expect(await abortConnection(1_048_575)).toBe(false);
  expect(await waitingRequests(1_048_575)).toBeUndefined();
});

test('requests that wait for an answer are counted', async () => {
  const served = await serve('attached');
  expect(await waitingRequests(served.minor)).toBe(0);
  let answer: (() => void) | undefined;
  const reached = new Promise<void>((resolve) => {
    fileSystem.beforeRead = () => {
      resolve();
      return new Promise((finish) => (answer = finish));
    };
  });
  const reader = command('cat', [path.join(served.root, 'file')]);
  await reached;
  expect(await waitingRequests(served.minor)).toBe(1);
  answer?.();
  expect((await reader).stdout).toBe('content');
});

test('no child process inherits /dev/fuse or the mount', async () => {
  await serve('attached');
  await serve('detached');
  const { stdout } = await command('sh', ['-c', 'for fd in /proc/self/fd/*; do readlink "$fd"; done; true']);
  expect(stdout).not.toContain('fuse');
  const mine = await descriptors();
  expect(mine.filter((target) => target === '/dev/fuse')).toHaveLength(2);
  // One pipe each for input, output and errors, and perhaps what the shell opened.
  expect(stdout.trim().split('\n').length).toBeLessThan(6);
});

test('fifty mounts leave no descriptor and no thread behind', async () => {
  const once = async (): Promise<void> => {
    for (const way of ['attached', 'detached'] as const) {
      await using served = await ServedMount[way](fileSystem);
      expect(await readFile(path.join(served.root, 'file'), 'utf8')).toBe('content');
    }
  };
  // The threads of libuv's pool start with their first work.
  await Promise.all(Array.from({ length: 32 }, () => stat('/')));
  for (let time = 0; time < 3; time += 1) await once();
  const before = await descriptors();
  const threads = await readdir('/proc/self/task');
  for (let time = 0; time < 25; time += 1) await once();
  expect(await descriptors()).toEqual(before);
  expect((await readdir('/proc/self/task')).length).toBeLessThanOrEqual(threads.length);
});

test('a server that is killed leaves a mount that fails at once, also for those who were waiting', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fuse-killed-'));
  cleanups.push(() => rmdir(directory));
  const server = spawn(process.execPath, [SERVER, 'serve', directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanups.push(async () => {
    server.kill('SIGKILL');
    const mounted = (await readMountTable()).some(({ target }) => target === directory);
    if (mounted) unmount(directory, UMOUNT.DETACH);
  });
  await once(server.stdout, 'data');
  const quick = path.join(directory, 'quick');
  expect((await command('cat', [quick])).stdout).toBe('quick content');
  const entry = (await readMountTable()).find(({ target }) => target === directory);
  const minor = Number(entry?.device.split(':')[1]);
  const waiting = command('cat', [path.join(directory, 'slow')]);
  const refused = expect(waiting).rejects.toThrow(/Software caused connection abort|not connected/);
  while ((await waitingRequests(minor)) === 0);
  const gone = once(server, 'exit');
  server.kill('SIGKILL');
  await gone;
  await refused;
  await expect(stat(path.join(directory, 'missing'))).rejects.toMatchObject({ code: 'ENOTCONN' });
  await expect(command('ls', [directory])).rejects.toThrow(/not connected/);
});

test.each(['stop', 'exit', 'terminate'])('a serving process ends by itself: %s', async (way) => {
  const { stdout } = await command(process.execPath, [SERVER, way]);
  if (way !== 'terminate') expect(stdout).toBe('serving\n');
});

test('a device is of no use after it was disposed of, and disposing twice is harmless', async () => {
  const served = await serve('detached');
  await served[Symbol.asyncDispose]();
  served.device[Symbol.dispose]();
  expect(() => served.device.number).toThrow(/used after it was closed/);
  expect(() => served.device.read(Buffer.alloc(8192))).toThrow(/used after it was closed/);
  await expect(served.device.readable()).resolves.toBe('cancelled');
});
