import { fileMappings, parseSmaps, readSmaps, totalMemory } from './smaps';

const SAMPLE = `7f0000000000-7f0000001000 r-xp 00002000 00:2f 12                       /usr/lib/with space.so
Size:                  4 kB
Rss:                   4 kB
Pss:                   2 kB
Pss_Dirty:             0 kB
Shared_Clean:          4 kB
Private_Dirty:         0 kB
VmFlags: rd ex mr mw me
7f0000001000-7f0000003000 rw-p 00000000 00:00 0
Rss:                   8 kB
Pss:                   8 kB
Private_Dirty:         8 kB
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
Rss:                  12 kB
Pss:                  12 kB
`;

test('mappings are read with path, permissions, offset and memory in bytes', () => {
  const mappings = parseSmaps(SAMPLE);
  expect(mappings.map(({ path }) => path)).toEqual(['/usr/lib/with space.so', '', '[stack]']);
  expect(mappings[0]).toMatchObject({
    permissions: 'r-xp',
    offset: 0x2000,
    rss: 4096,
    pss: 2048,
    sharedClean: 4096,
  });
  expect(fileMappings(mappings)).toHaveLength(1);
  expect(totalMemory(mappings)).toMatchObject({ rss: 24 << 10, pss: 22 << 10, privateDirty: 8 << 10 });
});

test('the kernel’s own smaps of this process hold its program', async () => {
  const mapped = fileMappings(await readSmaps(process.pid));
  const own = totalMemory(mapped.filter(({ path }) => path === process.execPath));
  expect(own.rss).toBeGreaterThan(1 << 20);
  expect(own.pss).toBeLessThanOrEqual(own.rss);
});
