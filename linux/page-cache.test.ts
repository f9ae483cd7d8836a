import { randomBytes } from 'node:crypto';
import { open, mkdtemp, rm, writeFile, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { cachedPages, cacheStat, dropCachedPages, residentPages } from './page-cache';
import { undisturbed } from './testing/undisturbed';

const PAGES = 37;
const SIZE = (PAGES - 1) * 4096 + 1;

let directory: string;
let file: FileHandle;

beforeEach(async () => {
  // Not in /tmp: a tmpfs there could not drop its pages.
  directory = await mkdtemp(path.join(__dirname, 'page-cache-'));
  await writeFile(path.join(directory, 'file'), randomBytes(SIZE));
  file = await open(path.join(directory, 'file'), 'r+');
  await file.sync();
});

afterEach(async () => {
  await file.close();
  await rm(directory, { recursive: true });
});

test('cachestat(2) and mincore(2) count the same pages', async () => {
  await undisturbed(async () => {
    await file.read(Buffer.alloc(SIZE), 0, SIZE, 0);
    expect(cachedPages(file.fd, SIZE)).toBe(PAGES);
    expect(residentPages(file.fd, SIZE)).toBe(PAGES);
  });
});

test('pages that are dropped are counted no more', async () => {
  dropCachedPages(file.fd);
  expect(cachedPages(file.fd, SIZE)).toBe(0);
  expect(residentPages(file.fd, SIZE)).toBe(0);
  await file.read(Buffer.alloc(1), 0, 1, 20 * 4096);
  expect(cachedPages(file.fd, SIZE)).toBeGreaterThan(0);
});

test('dirty pages are told apart, and what is in them is not lost', async () => {
  await file.write(Buffer.from('x'), 0, 1, 0);
  // The kernel may keep and count several pages as one folio.
  expect(cacheStat(file.fd).dirtyPages).toBeGreaterThan(0);
  dropCachedPages(file.fd);
  // Whether they are still there depends on how fast the disk takes them.
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 0);
  expect(buffer.toString()).toBe('x');
  await file.sync();
  expect(cacheStat(file.fd).dirtyPages).toBe(0);
});

test('an empty file has no pages', async () => {
  await file.truncate(0);
  expect(cachedPages(file.fd, 0)).toBe(0);
  expect(residentPages(file.fd, 0)).toBe(0);
});

test('a descriptor that is none is an error that says so', () => {
  expect(() => cacheStat(99_999)).toThrow('cachestat descriptor 99999: EBADF');
  expect(() => dropCachedPages(99_999)).toThrow('posix_fadvise descriptor 99999: EBADF');
  expect(() => residentPages(99_999, 4096)).toThrow('mmap descriptor 99999: EBADF');
});
