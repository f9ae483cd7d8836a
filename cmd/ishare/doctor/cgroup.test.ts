import { memoryCgroups, memoryLimitFindings } from './cgroup';

test('the cgroups that limit memory are those of version 2 and of the memory controller', () => {
  const text = '9:name=systemd:/s\n4:cpu,memory:/pods/a:b\n3:cpuset:/\n0::/system.slice/x\n';
  expect(memoryCgroups(text).map(({ directory, file }) => `${directory} ${file}`)).toEqual([
    '/pods/a:b memory.limit_in_bytes',
    '/system.slice/x memory.max',
  ]);
});

test('a low limit is worth a note; none, or a high one, is not', () => {
  expect(memoryLimitFindings(undefined)).toEqual([]);
  expect(memoryLimitFindings({ cgroup: '/x', bytes: 2 ** 30 })).toEqual([]);
  expect(memoryLimitFindings({ cgroup: '/x', bytes: 2 ** 28 })).toMatchObject([
    { level: 'note', where: 'cgroup /x', why: expect.stringContaining('256.0 MiB') as unknown },
  ]);
});
