import {
  closeSync,
  constants,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { Extraction } from '../../erofs/extract/extraction';
import { ErofsImage } from '../../erofs/image';
import { makeAwkwardTree } from './awkward-tree';
import { devicesOf, sampleNames } from './damaged-image';
import { newerTool, systemMkfs, type ErofsTool } from '../../erofs/testing/erofs-utils';
import { KernelMount } from './kernel-mount';
import { TemporaryDirectory } from './temporary-directory';
import { describeHostTree, portable } from './tree-description';
import { LONG } from '../../linux/testing/long-trials';

const fixture = (name: string): string => resolve('test/fixtures/erofs', name);

let scratch: TemporaryDirectory;

beforeEach(() => {
  scratch = new TemporaryDirectory();
});

afterEach(() => {
  scratch[Symbol.dispose]();
});

/** Extracts an image, all of it, and gives the directory. */
async function extracted(path: string, devices: readonly string[] = []): Promise<string> {
  const out = scratch.join('out');
  mkdirSync(out);
  await using image = await ErofsImage.open(path, { devices });
  const never = (shown: Buffer, what: unknown): never => {
    throw new Error(`${shown.toString('latin1')}: ${String(what)}`);
  };
  const fd = openSync(out, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    let entries = 0;
    const report = { onProblem: never, onOmission: never, onEntry: (done: number) => (entries = done) };
    await new Extraction(image, report, true).run(fd);
    expect(entries).toBeGreaterThan(0);
  } finally {
    closeSync(fd);
  }
  return out;
}

/** What Linux 7.0 and later do not read any more. */
const UNMOUNTABLE = 'lz4-legacy.erofs';

test.each(sampleNames)('%s: what is extracted is what Linux shows', async (name) => {
  const devices = (devicesOf[name] ?? []).map(fixture);
  const out = await extracted(fixture(name), devices);
  if (name === UNMOUNTABLE) {
    expect(readFileSync(scratch.join('out', 'a.txt')).equals(readFileSync(fixture('src/a.txt')))).toBe(true);
    return;
  }
  using mount = new KernelMount(fixture(name), scratch.join('mount'), devices);
  expect(portable(describeHostTree(out))).toEqual(portable(describeHostTree(mount.path)));
});

test('hard links are links again', async () => {
  mkdirSync(scratch.join('source'));
  for (const name of ['one', 'two']) writeFileSync(scratch.join('source', name), 'content');
  for (const name of ['one', 'two'])
    linkSync(scratch.join('source', name), scratch.join('source', `${name}-link`));
  systemMkfs.run('--quiet', scratch.join('image'), scratch.join('source'));
  await extracted(scratch.join('image'));
  const inode = (name: string): number => statSync(scratch.join('out', name)).ino;
  expect(inode('one-link')).toBe(inode('one'));
  expect(inode('two-link')).toBe(inode('two'));
  expect(inode('two')).not.toBe(inode('one'));
});

/** The tree has thousands of files: one mkfs must do for the short run. */
const makers: [string, ErofsTool][] = [['erofs-utils 1.9', newerTool('mkfs.erofs') ?? systemMkfs]];
if (LONG) makers.push(['erofs-utils 1.5', systemMkfs]);

test.each(makers)('everything that a tree may hold comes out again (%s)', async (_, mkfs) => {
  mkdirSync(scratch.join('source'));
  makeAwkwardTree(scratch.join('source'));
  mkfs.run('--quiet', '-zlz4hc', scratch.join('image'), scratch.join('source'));
  const out = await extracted(scratch.join('image'));
  using mount = new KernelMount(scratch.join('image'), scratch.join('mount'));
  expect(portable(describeHostTree(out))).toEqual(portable(describeHostTree(mount.path)));
});
