import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDevice, makeNode } from '../../linux/device-node';
import { unmount } from '../../linux/mount';
import { setXattr } from '../../linux/xattr';
import type { LayerNode } from './layer-node';
import { MergedPathError, MergedTree } from './merged-tree';
import { UpperDirectory } from './upper-directory';

let directory: string;
/** Topmost first. */
let layers: readonly string[];
const opened: UpperDirectory[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ishare-merged-'));
  layers = ['top', 'middle', 'bottom'].map((name) => join(directory, name));
  for (const layer of layers) mkdirSync(layer);
});

afterEach(async () => {
  for (const each of opened.splice(0)) await each[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

/** A file whose content is its layer's name, with the directories that it needs. */
function put(layer: number, path: string): void {
  const file = join(layers[layer]!, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, `layer ${layer}`);
}

function link(layer: number, path: string, target: string): void {
  const file = join(layers[layer]!, path);
  mkdirSync(join(file, '..'), { recursive: true });
  symlinkSync(target, file);
}

function whiteout(layer: number, path: string): void {
  const file = join(layers[layer]!, path);
  mkdirSync(join(file, '..'), { recursive: true });
  makeNode(file, 0o020000, makeDevice(0, 0));
}

function opaque(layer: number, path: string): void {
  mkdirSync(join(layers[layer]!, path), { recursive: true });
  setXattr(join(layers[layer]!, path), 'trusted.overlay.opaque', Buffer.from('y'));
}

async function tree(): Promise<MergedTree> {
  const roots: LayerNode[] = [];
  for (const layer of layers) {
    const each = new UpperDirectory(layer);
    opened.push(each);
    roots.push(await each.root());
  }
  const [first, ...rest] = roots;
  return new MergedTree([first!, ...rest]);
}

async function codeAt(merged: MergedTree, path: string): Promise<string> {
  return merged.resolve(path).then(
    ({ node }) => node.type,
    (error: unknown) => {
      if (error instanceof MergedPathError) return error.code;
      throw error;
    },
  );
}

test('shows what overlayfs shows, name by name', async () => {
  put(2, 'both');
  put(0, 'both');
  put(2, 'd/below');
  put(1, 'd/beside');
  put(2, 'd/deep/er');
  whiteout(1, 'd/below');
  put(2, 'hidden/file');
  whiteout(0, 'hidden');
  put(2, 'anew/old');
  opaque(1, 'anew');
  put(1, 'anew/new');
  put(0, 'anew/newest');
  put(2, 'now-a-file/inside');
  put(1, 'now-a-file');
  put(2, 'was-a-file');
  put(1, 'was-a-file/inside');
  put(0, 'split/top');
  put(1, 'split');
  put(2, 'split/bottom');
  opaque(0, '.');
  const merged = await tree();
  const names = [
    ...new Set(layers.flatMap((layer) => readdirSync(layer, { recursive: true, encoding: 'utf8' }))),
  ];
  expect(names.length).toBeGreaterThan(15);

  const overlay = join(directory, 'overlay');
  mkdirSync(overlay);
  const options = `lowerdir=${layers.join(':')}`;
  execFileSync('mount', ['-t', 'overlay', '-o', options, 'overlay', overlay]);
  try {
    for (const name of names) {
      const found = await codeAt(merged, name);
      expect([name, found]).toEqual([name, kindOnDisk(join(overlay, name))]);
    }
  } finally {
    unmount(overlay);
  }
});

function kindOnDisk(path: string): string {
  try {
    const found = lstatSync(path);
    return found.isDirectory() ? 'directory' : 'regular file';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code!;
  }
}

test.each([
  ['a relative one', 'lib/relative', '/usr/lib/file'],
  ['an absolute one', 'absolute', '/usr/lib/file'],
  ['one in the middle of the path', 'lib/file', '/usr/lib/file'],
  ['one that climbs above the root', 'climbing', '/usr/lib/file'],
  ['".." behind a link', 'lib/../bin', '/usr/bin'],
])('follows %s link inside the merged tree', async (_what, path, expected) => {
  put(2, 'usr/lib/file');
  put(1, 'usr/bin/program');
  link(0, 'lib', 'usr/lib');
  link(1, 'usr/lib/relative', './file');
  link(0, 'absolute', '/usr/lib/file');
  link(0, 'climbing', '../../../usr/lib/file');
  expect((await (await tree()).resolve(path)).path).toBe(expected);
});

test('fails as open(2) would', async () => {
  put(2, 'file');
  link(0, 'loop', 'loop');
  link(0, 'dangling', '/nowhere');
  const merged = await tree();
  expect(await codeAt(merged, 'loop')).toBe('ELOOP');
  expect(await codeAt(merged, 'dangling')).toBe('ENOENT');
  expect(await codeAt(merged, 'file/inside')).toBe('ENOTDIR');
  expect(await codeAt(merged, 'file/')).toBe('ENOTDIR');
  expect(await codeAt(merged, 'x'.repeat(300))).toBe('ENOENT');
  expect(await codeAt(merged, '/')).toBe('directory');
});

test('a link in a layer does not lead out of it', async () => {
  writeFileSync(join(directory, 'outside'), 'private');
  link(0, 'up', '../../outside');
  link(0, 'host', '/etc/passwd');
  const merged = await tree();
  expect(await codeAt(merged, 'up')).toBe('ENOENT');
  expect(await codeAt(merged, 'host')).toBe('ENOENT');
  expect(readFileSync(join(directory, 'outside'), 'utf8')).toBe('private');
});
