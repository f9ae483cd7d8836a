import { link, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from 'winston';
import { makeNode } from '../linux/device-node';
import { diskUsage } from './disk-usage';
import { Trash } from './trash';

const logger = createLogger({ silent: true });
let root: string;
let bin: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ishare-trash-'));
  bin = join(root, 'trash');
  await mkdir(bin);
});

afterEach(() => rm(root, { recursive: true, force: true }));

/** A tree with what containers leave behind: names that are no UTF-8, whiteouts, links to the outside, closed directories. */
async function plant(path: string): Promise<void> {
  await mkdir(join(path, 'deep', 'deeper'), { recursive: true });
  await writeFile(Buffer.concat([Buffer.from(`${path}/deep/`), Buffer.of(0xff, 0xfe, 0x61)]), 'latin');
  await mkdir(Buffer.concat([Buffer.from(`${path}/`), Buffer.of(0xe9)]));
  await writeFile(Buffer.concat([Buffer.from(`${path}/`), Buffer.of(0xe9), Buffer.from('/x')]), 'x');
  makeNode(join(path, 'whiteout'), 0o020000, 0);
  await symlink('/etc', join(path, 'link'));
  await mkdir(join(path, 'closed'), { mode: 0 });
}

test('a tree disappears at once from its place and soon from the disk', async () => {
  await using trash = disposable(new Trash(bin, logger));
  await plant(join(root, 'tree'));
  await trash.it.discard(join(root, 'tree'));
  expect(await readdir(root)).toEqual(['trash']);
  await trash.it.drained();
  expect(await readdir(bin)).toEqual([]);
  expect(await readdir('/etc')).toContain('passwd');
});

test('two things of the same name do not meet', async () => {
  await using trash = disposable(new Trash(bin, logger));
  for (let round = 0; round < 2; round++) {
    await writeFile(join(root, 'same'), 'x');
    await trash.it.discard(join(root, 'same'));
  }
  await trash.it.drained();
  expect(await readdir(bin)).toEqual([]);
});

test('what does not exist is discarded already', async () => {
  await using trash = disposable(new Trash(bin, logger));
  await trash.it.discard(join(root, 'absent'));
});

test('what an earlier process left is deleted', async () => {
  await plant(join(bin, 'left'));
  await using trash = disposable(new Trash(bin, logger));
  await trash.it.recover();
  await trash.it.drained();
  expect(await readdir(bin)).toEqual([]);
});

test('what was mounted is deleted once it is not, however soon it is looked at again', async () => {
  let asked: () => void = () => undefined;
  let answer: (place: string | undefined) => void = () => undefined;
  const looking = new Promise<void>((resolve) => (asked = resolve));
  const answers = [new Promise<string | undefined>((resolve) => (answer = resolve)), undefined];
  await using trash = disposable(
    new Trash(bin, logger, async () => {
      asked();
      return await answers.shift();
    }),
  );
  await plant(join(root, 'tree'));
  await trash.it.discard(join(root, 'tree'));
  await looking;
  await trash.it.recover();
  answer('/somewhere');
  await trash.it.drained();
  expect(await readdir(bin)).toEqual([]);
});

test('usage counts blocks and inodes of everything, whatever it is called, and hard links once', async () => {
  const tree = join(root, 'tree');
  await plant(tree);
  const { bytes, inodes } = await diskUsage(tree);
  // tree, deep, deeper, the file, the directory, x, whiteout, link, closed.
  expect(inodes).toBe(9);
  await writeFile(join(tree, 'big'), Buffer.alloc(1 << 20, 1));
  await link(join(tree, 'big'), join(tree, 'deep', 'again'));
  const after = await diskUsage(tree);
  expect(after.inodes).toBe(10);
  expect(after.bytes - bytes).toBeGreaterThanOrEqual(1 << 20);
  expect(after.bytes - bytes).toBeLessThan((1 << 20) + 65536);
});

test('usage can be given up', async () => {
  await expect(diskUsage(root, AbortSignal.abort())).rejects.toThrow();
});

function disposable(trash: Trash): AsyncDisposable & { readonly it: Trash } {
  return { it: trash, [Symbol.asyncDispose]: () => trash.close() };
}
