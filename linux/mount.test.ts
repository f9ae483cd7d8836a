import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makeDevice } from './device-node';
import { SystemCallError } from './errno';
import { mount, mountDetached, MOUNT_ATTR, unmount } from './mount';
import { readMountTable } from './mount-table';

test('a detached mount is reached through its descriptor, is in no table, and ends with it', async () => {
  const mounted = mountDetached({ type: 'tmpfs', strings: { size: '1m' }, flags: [], attributes: 0 });
  try {
    const file = `/proc/self/fd/${mounted.number}/file`;
    await writeFile(file, 'content');
    expect(await readFile(file, 'utf8')).toBe('content');
    const { dev } = await stat(file);
    const attached = (await readMountTable()).map(({ device }) => {
      const [major = NaN, minor = NaN] = device.split(':').map(Number);
      return makeDevice(major, minor);
    });
    expect(attached).not.toContain(dev);
  } finally {
    mounted[Symbol.dispose]();
  }
  expect(() => mounted.number).toThrow(/used after it was closed/);
});

test('a detached mount takes flags and attributes', async () => {
  using mounted = mountDetached({
    type: 'tmpfs',
    strings: {},
    flags: ['ro'],
    attributes: MOUNT_ATTR.RDONLY | MOUNT_ATTR.NODEV,
  });
  await expect(writeFile(`/proc/self/fd/${mounted.number}/file`, '')).rejects.toMatchObject({
    code: 'EROFS',
  });
});

test('what cannot be mounted or unmounted is told with call, place and errno', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'mount-'));
  expect(() => mount('none', directory, 'no-such-type', 0, '')).toThrow(
    `mount -t no-such-type none ${directory}: ENODEV`,
  );
  expect(() => unmount(directory)).toThrow(`umount ${directory}: EINVAL`);
  expect(() => unmount(path.join(directory, 'missing'))).toThrow(/ENOENT/);
  expect(() => mountDetached({ type: 'no-such-type', strings: {}, flags: [], attributes: 0 })).toThrow(
    'fsopen no-such-type: ENODEV',
  );
  expect(() => mountDetached({ type: 'tmpfs', strings: { sice: '1' }, flags: [], attributes: 0 })).toThrow(
    'fsconfig sice=1: EINVAL',
  );
  await rm(directory, { recursive: true });
});

test('a path with a NUL is refused instead of being cut off', () => {
  expect(() => unmount('/tmp/a\0b')).toThrow(SystemCallError);
});
