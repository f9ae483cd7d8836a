import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { S_IFCHR, direntRecord } from '../../erofs/format/dirent';
import { makeDevice, makeNode } from '../../linux/device-node';
import { getXattr, setXattr } from '../../linux/xattr';
import { seal } from '../erofs/damaged-image';
import { newerTool, systemMkfs } from '../../erofs/testing/erofs-utils';
import { KernelMount } from '../erofs/kernel-mount';
import { TemporaryDirectory } from '../erofs/temporary-directory';
import { imageCommand, ISHARE } from '../harness/image-command';
import { describeTree } from '../harness/tree-comparison';

const fixture = (name: string): string => resolve('test/fixtures/erofs', name);
const extract = (...words: string[]) => imageCommand('extract', ...words);

let scratch: TemporaryDirectory;

beforeEach(() => {
  scratch = new TemporaryDirectory();
});

afterEach(() => {
  scratch[Symbol.dispose]();
});

test('writes the tree of an image', async () => {
  const [image, blob] = [fixture('chunk-blobdev.erofs'), fixture('chunk-blobdev.blob')];
  expect(await extract('--device', blob, image, scratch.join('out'))).toEqual({
    exitCode: 0,
    stdout: '',
    stderr: '',
  });
  using mount = new KernelMount(image, scratch.join('mount'), [blob]);
  expect(await describeTree(scratch.join('out'))).toEqual(await describeTree(mount.path));
});

test('holes stay holes', async () => {
  mkdirSync(scratch.join('source'));
  writeFileSync(scratch.join('source', 'sparse'), 'begin');
  truncateSync(scratch.join('source', 'sparse'), 64 << 20);
  const mkfs = newerTool('mkfs.erofs') ?? systemMkfs;
  mkfs.run('--quiet', '--chunksize=4096', scratch.join('image'), scratch.join('source'));
  expect((await extract(scratch.join('image'), scratch.join('out'))).exitCode).toBe(0);
  const { size, blocks } = statSync(scratch.join('out', 'sparse'));
  expect(size).toBe(64 << 20);
  expect(blocks * 512).toBeLessThan(1 << 20);
});

test('a directory that is not empty is refused', async () => {
  expect((await extract(fixture('plain.erofs'), scratch.join('out'))).exitCode).toBe(0);
  const again = await extract(fixture('plain.erofs'), scratch.join('out'));
  expect(again).toEqual({
    exitCode: 1,
    stdout: '',
    stderr: `ishare: image extract: ${scratch.join('out')}: is not empty\n`,
  });
  writeFileSync(scratch.join('file'), '');
  expect((await extract(fixture('plain.erofs'), scratch.join('file'))).stderr).toContain('not a directory');
});

test('what cannot be extracted is told, and the rest is there', async () => {
  const bytes = readFileSync(fixture('zstd.erofs'));
  bytes.fill(0x55, bytes.indexOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd])), 4200);
  writeFileSync(scratch.join('image'), bytes);
  const { exitCode, stderr } = await extract(scratch.join('image'), scratch.join('out'));
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^ishare: image extract: \/a\.txt: .*pcluster: /);
  expect(existsSync(scratch.join('out', 'a.txt'))).toBe(false);
  expect(readFileSync(scratch.join('out', 'small'), 'utf8')).toBe('hello erofs\n');
});

test('a symlink and a directory of one name do not lead outside', async () => {
  const outside = scratch.join('outside');
  mkdirSync(outside);
  mkdirSync(scratch.join('source', 'bb'), { recursive: true });
  writeFileSync(scratch.join('source', 'bb', 'planted'), 'planted');
  execFileSync('ln', ['-s', outside, scratch.join('source', 'ba')]);
  systemMkfs.run('--quiet', scratch.join('image'), scratch.join('source'));
  const bytes = readFileSync(scratch.join('image'));
  // Names of the root: ".", "..", "ba", "bb", one behind the other. The second becomes "ba" too.
  const names = bytes.indexOf('...babb');
  expect(names).toBeGreaterThan(4 * direntRecord.size);
  bytes.write('ba', names + 5, 'latin1');
  writeFileSync(scratch.join('image'), seal(bytes));
  const { exitCode, stderr } = await extract(scratch.join('image'), scratch.join('out'));
  expect(exitCode).toBe(1);
  expect(stderr).toBe('ishare: image extract: /ba: file already exists\n');
  expect(readdirSync(outside)).toEqual([]);
});

const AS_NOBODY = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath];
/** A checkout below a directory of root's own cannot be run by others. */
const nobodyCanRun =
  spawnSync('setpriv', [...AS_NOBODY, ISHARE, '--version'], { timeout: 20_000 }).status === 0;

(nobodyCanRun ? test : test.skip)('without root, what takes root is left out with a word', () => {
  mkdirSync(scratch.join('source'));
  for (const name of ['plain', 'setuid']) writeFileSync(scratch.join('source', name), name);
  chmodSync(scratch.join('source', 'setuid'), 0o6755);
  makeNode(scratch.join('source', 'device'), S_IFCHR | 0o600, makeDevice(5, 1));
  setXattr(scratch.join('source', 'plain'), 'trusted.of-root', Buffer.from('value'));
  setXattr(scratch.join('source', 'plain'), 'user.of-anybody', Buffer.from('value'));
  systemMkfs.run('--quiet', scratch.join('image'), scratch.join('source'));
  chmodSync(scratch.path, 0o777);
  const words = [...AS_NOBODY, ISHARE, 'image', 'extract', scratch.join('image'), scratch.join('out')];
  const { status, stdout, stderr } = spawnSync('setpriv', words, { timeout: 30_000, encoding: 'utf8' });
  const told = 'without root: owners of 3 entries, 1 extended attributes and 1 devices were left out';
  expect({ status, stdout, stderr }).toEqual({
    status: 0,
    stdout: '',
    stderr: `ishare: image extract: ${told}\n`,
  });
  expect(readFileSync(scratch.join('out', 'plain'), 'utf8')).toBe('plain');
  expect(getXattr(scratch.join('out', 'plain'), 'user.of-anybody')?.toString()).toBe('value');
  expect(statSync(scratch.join('out', 'setuid')).mode & 0o7777).toBe(0o755);
  expect(existsSync(scratch.join('out', 'device'))).toBe(false);
});

test('--json tells what was done', async () => {
  const { stdout } = await extract('--json', fixture('plain.erofs'), scratch.join('out'));
  expect(JSON.parse(stdout)).toEqual({
    entries: 8,
    problems: [],
    omitted: { owner: 0, xattr: 0, device: 0 },
  });
});
