import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { abortConnection } from './connection-control';
import { nodeId } from './file-system';
import { command } from './testing/client';
import { MemoryFileSystem, type MemoryNode } from './testing/memory-file-system';
import { ServedMount } from './testing/served-mount';
import { Watchdog } from './testing/watchdog';

let fileSystem: MemoryFileSystem;
let directory: MemoryNode;
let served: ServedMount;
let watchdog: Watchdog;

beforeEach(async () => {
  fileSystem = new MemoryFileSystem();
  directory = fileSystem.directory(fileSystem.root, 'dir');
  fileSystem.file(directory, 'file', 'content');
  served = await ServedMount.attached(fileSystem);
  watchdog = await Watchdog.over(served.minor);
});

afterEach(async () => {
  await watchdog[Symbol.asyncDispose]();
  await served[Symbol.asyncDispose]();
});

const inMount = (...names: string[]): string => path.join(served.root, ...names);
const lookups = async (work: () => Promise<unknown>): Promise<number> =>
  (await served.requestsOf(work))['LOOKUP'] ?? 0;

/** LOOKUPs of `slow` wait until the returned function is called. */
function slowLookup(): { readonly reached: Promise<void>; readonly answer: () => void } {
  let reach: () => void;
  let answer: () => void;
  const reached = new Promise<void>((resolve) => (reach = resolve));
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const lookup = fileSystem.lookup.bind(fileSystem);
  fileSystem.lookup = async (parent, name) => {
    if (name.toString() === 'slow') {
      reach();
      await answered;
    }
    return lookup(parent, name);
  };
  return { reached, answer: () => answer() };
}

test('a name that was invalidated is looked up again', async () => {
  const look = () => stat(inMount('dir', 'file'));
  expect(await lookups(look)).toBe(2);
  expect(await lookups(look)).toBe(0);
  expect(await served.session.notifier.invalidateEntry(directory.id, Buffer.from('file'))).toBe(true);
  expect(await lookups(look)).toBe(1);
});

test('a missing name that was invalidated may have come into being', async () => {
  await expect(stat(inMount('dir', 'new'))).rejects.toMatchObject({ code: 'ENOENT' });
  fileSystem.file(directory, 'new', '');
  await expect(stat(inMount('dir', 'new'))).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await served.session.notifier.invalidateEntry(directory.id, Buffer.from('new'))).toBe(true);
  await stat(inMount('dir', 'new'));
});

test('an inode that was invalidated is read again', async () => {
  await readFile(inMount('dir', 'file'));
  const again = () => served.requestsOf(() => readFile(inMount('dir', 'file')));
  expect((await again())['READ'] ?? 0).toBe(0);
  expect(await served.session.notifier.invalidateInode(nodeId(3))).toBe(true);
  expect((await again())['READ']).toBe(1);
});

test('what the kernel does not know cannot be invalidated', async () => {
  const { notifier } = served.session;
  expect(await notifier.invalidateEntry(nodeId(4711), Buffer.from('name'))).toBe(false);
  expect(await notifier.invalidateInode(nodeId(4711))).toBe(false);
});

test('a name is invalidated while another in its directory is being looked up', async () => {
  await stat(inMount('dir', 'file'));
  const { reached, answer } = slowLookup();
  const looking = expect(command('stat', [inMount('dir', 'slow')])).rejects.toThrow(/No such file/);
  await reached;
  // The kernel holds the directory's lock until the LOOKUP is answered, so this waits. This thread must not.
  const invalidated = served.session.notifier.invalidateEntry(directory.id, Buffer.from('file'));
  expect(served.session.notifier.busy).toBe(true);
  await delay(50);
  answer();
  await looking;
  expect(await invalidated).toBe(true);
  expect(served.session.notifier.busy).toBe(false);
});

test('run() ends only when notifications are through', async () => {
  await stat(inMount('dir', 'file'));
  const { reached, answer } = slowLookup();
  const looking = expect(command('stat', [inMount('dir', 'slow')])).rejects.toThrow(/No such file/);
  await reached;
  const invalidated = served.session.notifier.invalidateEntry(directory.id, Buffer.from('file'));
  let ended = false;
  const ran = served.ran.then(() => (ended = true));
  served.device.stop();
  await delay(50);
  expect(ended).toBe(false);
  answer();
  expect(await invalidated).toBe(true);
  await ran;
  await looking;
});

test('after the connection has ended there is nothing to invalidate', async () => {
  await stat(inMount('dir', 'file'));
  await abortConnection(served.minor);
  await served.ran;
  const { notifier } = served.session;
  await Promise.allSettled([
    notifier.invalidateEntry(directory.id, Buffer.from('file')),
    notifier.invalidateInode(nodeId(3)),
  ]);
  expect(notifier.busy).toBe(false);
});
