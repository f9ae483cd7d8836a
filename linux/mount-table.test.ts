import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { mount, unmount } from './mount';
import { parseMountTable, readMountTable } from './mount-table';

test('a line is taken apart, with and without optional fields', () => {
  const text = [
    '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue',
    '43 27 0:40 / /images ro,nosuid - fuse.ishare ishare ro,user_id=0',
    '',
  ].join('\n');
  expect(parseMountTable(text)).toEqual([
    {
      id: 36,
      parentId: 35,
      device: '98:0',
      root: '/mnt1',
      target: '/mnt2',
      options: ['rw', 'noatime'],
      type: 'ext3',
      source: '/dev/root',
      superOptions: ['rw', 'errors=continue'],
    },
    {
      id: 43,
      parentId: 27,
      device: '0:40',
      root: '/',
      target: '/images',
      options: ['ro', 'nosuid'],
      type: 'fuse.ishare',
      source: 'ishare',
      superOptions: ['ro', 'user_id=0'],
    },
  ]);
});

test('octal escapes become the characters that they stand for', () => {
  const line = String.raw`1 2 0:1 /a\040b /c\011d\012e\134f\043g rw - overlay my\040source rw,lowerdir=/x\054y:/z`;
  expect(parseMountTable(line)).toMatchObject([
    {
      root: '/a b',
      target: '/c\td\ne\\f#g',
      source: 'my source',
      superOptions: ['rw', 'lowerdir=/x,y:/z'],
    },
  ]);
});

test('the root is in the table of this process', async () => {
  expect((await readMountTable()).map(({ target }) => target)).toContain('/');
});

test.each(['plain', 'with a blank', 'tab\tnewline\nand\\backslash', 'ünïcode', 'a - b', 'comma,colon:'])(
  'a mount at %j is found under its name',
  async (name) => {
    const parent = await mkdtemp(path.join(tmpdir(), 'mount-table-'));
    const target = path.join(parent, name);
    await mkdir(target);
    mount('some source', target, 'tmpfs', 0, 'size=4096,mode=0700');
    try {
      const found = (await readMountTable()).filter((entry) => entry.target === target);
      expect(found).toMatchObject([{ type: 'tmpfs', source: 'some source', root: '/' }]);
      expect(found[0]!.superOptions).toContain('mode=700');
    } finally {
      unmount(target);
      await rm(parent, { recursive: true });
    }
    expect((await readMountTable()).filter((entry) => entry.target === target)).toEqual([]);
  },
);
