import { mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { mountPointPath } from './mount-point-path';

let directory: string;

beforeEach(async () => {
  directory = await realpath(await mkdtemp(path.join(tmpdir(), 'ishare-mount-point-')));
  await mkdir(path.join(directory, 'a/b'), { recursive: true });
  await symlink('a', path.join(directory, 'link'));
  await symlink(path.join(directory, 'link/b'), path.join(directory, 'far'));
});
afterEach(() => rm(directory, { recursive: true }));

test.each(['a/b', 'a/b/', 'link/b', 'far', 'a/./b/../b', 'link/../a/b'])(
  '%s leads to the directory itself',
  async (name) => {
    expect(await mountPointPath(`${directory}/${name}`)).toBe(path.join(directory, 'a/b'));
  },
);

test('relative paths count from where the process is, and the root is the root', async () => {
  expect(await mountPointPath(path.relative(process.cwd(), path.join(directory, 'far')))).toBe(
    path.join(directory, 'a/b'),
  );
  expect(await mountPointPath('/')).toBe('/');
  expect(await mountPointPath('/proc')).toBe('/proc');
});

test('what is missing is told', async () => {
  for (const name of ['missing', 'missing/b', 'a/missing']) {
    await expect(mountPointPath(path.join(directory, name))).rejects.toMatchObject({ code: 'ENOENT' });
  }
});
