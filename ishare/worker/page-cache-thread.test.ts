import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { MemoryFileSystem } from '../../fuse/testing/memory-file-system';
import { ServedMount } from '../../fuse/testing/served-mount';
import { withPageCache } from './page-cache-thread';

const PAGE = 4096;
const TASKS = 20;

let directory: string;
let descriptor: number;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ishare-page-cache-'));
  await writeFile(join(directory, 'file'), Buffer.alloc(2 * PAGE, 1));
  // It stands for the ishare mount.
  descriptor = openSync(directory, 'r');
});

afterAll(async () => {
  closeSync(descriptor);
  await rm(directory, { recursive: true });
});

function warm(path: string): Promise<number[]> {
  return withPageCache('warm', descriptor, [{ path, size: 2 * PAGE }]);
}

const threads = (): number => readdirSync('/proc/self/task').length;
const mappings = (): number => readFileSync('/proc/self/maps', 'latin1').split('\n').length;

test('tasks one after another leave neither threads nor mappings behind', async () => {
  expect(await warm('file')).toEqual([2 * PAGE]);
  const before = { threads: threads(), mappings: mappings() };
  for (let task = 0; task < TASKS; task += 1) expect(await warm('file')).toEqual([2 * PAGE]);
  expect(mappings() - before.mappings).toBeLessThan(TASKS);
  expect(threads()).toBeLessThanOrEqual(before.threads);
});

test('tasks at the same time are all done', async () => {
  const all = await Promise.all(['file', 'missing', 'file'].map(warm));
  expect(all).toEqual([[2 * PAGE], [0], [2 * PAGE]]);
});

test('a task that fails says why, and the next one is done', async () => {
  await expect(warm('x'.repeat(300))).rejects.toThrow('ENAMETOOLONG');
  expect(await warm('file')).toEqual([2 * PAGE]);
});

test('counting and dropping ask a mount for no name: who serves it would wait for its own answer', async () => {
  const fileSystem = new MemoryFileSystem();
  fileSystem.file(fileSystem.root, 'read', Buffer.alloc(2 * PAGE, 1));
  fileSystem.file(fileSystem.root, 'never seen', Buffer.alloc(2 * PAGE, 2));
  const asked: string[] = [];
  const lookup = fileSystem.lookup.bind(fileSystem);
  fileSystem.lookup = (parent, name) => {
    asked.push(name.toString());
    return lookup(parent, name);
  };
  await using served = await ServedMount.detached(fileSystem);
  const mount = Number(basename(served.root));
  await readFile(join(served.root, 'read'));
  const files = ['read', 'never seen'].map((path) => ({ path, size: 2 * PAGE }));
  expect(await withPageCache('count', mount, files)).toEqual([2 * PAGE, 0]);
  expect(await withPageCache('drop', mount, files)).toEqual([0, 0]);
  expect(await withPageCache('count', mount, files)).toEqual([0, 0]);
  expect(asked).toEqual(['read']);
});
