import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { TemporaryDirectory } from '../process/temporary-directory';
import { DebianPackages, PackageError } from './debian-packages';

const apt = new DebianPackages();

test('the closure of a program holds its libraries and none of the tools that only its scripts need', async () => {
  const [version] = await apt.versions('redis-tools');
  const closure = await apt.closure({ name: 'redis-tools', version: version! });
  const names = closure.map(({ name }) => name);
  expect(closure[0]).toEqual({ name: 'redis-tools', version });
  expect(names.some((name) => name.startsWith('libc6'))).toBe(true);
  expect(names).not.toContain('adduser');
  expect(names).not.toContain('dpkg');
  expect(new Set(names).size).toBe(names.length);
});

test('a package that pins another one’s version gets that version', async () => {
  const versions = await apt.versions('redis-server');
  for (const version of versions) {
    const closure = await apt.closure({ name: 'redis-server', version }, new Set(['redis-tools']));
    expect(closure).toContainEqual({ name: 'redis-tools', version });
  }
});

test('what apt does not know is an error that names it', async () => {
  await expect(apt.versions('no-such-package-anywhere')).rejects.toThrow(PackageError);
  await expect(apt.closure({ name: 'redis-tools', version: '0.0.1' })).rejects.toThrow('redis-tools 0.0.1');
});

test('packages are unpacked without being installed', async () => {
  await using directory = await TemporaryDirectory.create();
  const [version] = await apt.versions('liblzf1');
  const wanted = [{ name: 'liblzf1', version: version! }];
  const downloads = join(directory.path, 'debs');
  for (const root of ['one', 'two']) await apt.unpack(wanted, downloads, join(directory.path, root));
  await access(join(directory.path, 'two', 'usr/share/doc/liblzf1/copyright'));
});
