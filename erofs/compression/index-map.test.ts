import { mkdirSync, rmSync, writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ErofsImage } from '../image';
import { newerTool, systemMkfs } from '../testing/erofs-utils';
import { extentEnd, type Extent } from './extent';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'index-map-'));
  mkdirSync(path.join(directory, 'source'));
  for (const [number, length] of [10, 5000, 100_000, 3_000_001].entries()) {
    writeFileSync(path.join(directory, 'source', `text${number}`), text(length));
  }
  // What does not become smaller lies in plain pclusters between the others.
  const mixed = text(600_000);
  for (let at = 100_000; at < 200_000; at++) mixed[at] = (at * 2_654_435_761) >>> 13;
  writeFileSync(path.join(directory, 'source', 'mixed'), mixed);
});

afterAll(() => rmSync(directory, { recursive: true }));

/** Words that repeat, but not too much. */
function text(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 1;
  for (let at = 0; at < length;) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    at += bytes.write(`word${(state >>> 16) % 3000} `, at);
  }
  return bytes;
}

const tool = newerTool('mkfs.erofs') ?? systemMkfs;

it.each([
  ['a compact index', ['-zlz4']],
  ['a compact index with big pclusters', ['-zlz4', '-C65536']],
  ['a full index', ['-zlz4', '-Elegacy-compress']],
  ['inline pclusters', ['-zlz4', '-Eztailpacking']],
  ['fragments', ['-zlz4', '-C65536', '-Efragments']],
  ['references to parts of pclusters', ['-zlz4', '-Ededupe']],
])('runs of %s are what single searches find', async (_name, options) => {
  const file = path.join(directory, 'image');
  rmSync(file, { force: true });
  tool.run('--quiet', ...options, file, path.join(directory, 'source'));
  await using image = await ErofsImage.open(file);
  let longest = 0;
  for await (const inode of image.files()) {
    const one = await image.sources.compression.mapOf(image.sources, inode);
    const found: Extent[] = [];
    for (let at = 0; at < inode.size; at = extentEnd(found.at(-1)!)) found.push(await one.find(at));
    for (const [index, { start }] of found.entries()) {
      for (const end of [start + 1, start + 50_000, inode.size]) {
        const run = await one.findRun(start, Math.min(end, inode.size));
        expect(run).toEqual(found.slice(index, index + run.length));
        longest = Math.max(longest, run.length);
      }
    }
  }
  expect(longest).toBeGreaterThan(5);
});
