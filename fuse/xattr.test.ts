import path from 'node:path';
import { command, inClient } from './testing/client';
import { MemoryFileSystem, type MemoryNode } from './testing/memory-file-system';
import { ServedMount } from './testing/served-mount';

let fileSystem: MemoryFileSystem;
let file: MemoryNode;
let served: ServedMount;

beforeEach(async () => {
  fileSystem = new MemoryFileSystem();
  file = fileSystem.file(fileSystem.root, 'file', 'content');
  served = await ServedMount.attached(fileSystem);
});

afterEach(async () => {
  await served[Symbol.asyncDispose]();
});

const target = (): string => path.join(served.root, 'file');

test('all attributes are listed and read, of every name space and with every byte', async () => {
  const values: Record<string, Buffer> = {
    'user.text': Buffer.from('value'),
    'user.empty': Buffer.alloc(0),
    'user.binary': Buffer.from([0, 1, 0xff]),
    'trusted.overlay.opaque': Buffer.from('y'),
    // The kernel looks into this one: revision 2, cap_chown permitted.
    'security.capability': Buffer.from('0100000201000000000000000000000000000000', 'hex'),
    'user.\xff\xfe': Buffer.from('odd name'),
    'user.large': Buffer.alloc(65_536, 0x5a),
  };
  for (const [name, value] of Object.entries(values)) file.xattrs.set(name, value);
  expect(await inClient('xattrs', target())).toEqual(
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.toString('hex')])),
  );
  const { stdout } = await command('getfattr', ['--only-values', '-n', 'user.text', target()]);
  expect(stdout).toBe('value');
});

test('a file without attributes has an empty list', async () => {
  expect(await inClient('xattrs', target())).toEqual({});
  expect((await command('getfattr', ['-d', '-m', '-', target()])).stdout).toBe('');
});

test('an absent attribute is ENODATA', async () => {
  await expect(command('getfattr', ['-n', 'user.missing', target()])).rejects.toThrow(/No such attribute/);
  expect(await inClient('xattrRooms', target(), 'user.missing')).toMatchObject({
    get: ['ENODATA', 'ENODATA', 'ENODATA', 'ENODATA'],
    list: [0, 0, 0, 0],
  });
  expect(served.faults).toEqual([]);
});

test('room 0 asks for the length, and too little room is ERANGE', async () => {
  file.xattrs.set('user.abc', Buffer.from('abc'));
  const list = 'user.abc'.length + 1;
  expect(await inClient('xattrRooms', target(), 'user.abc')).toEqual({
    get: [3, 'ERANGE', 3, 3],
    list: [list, 'ERANGE', 'ERANGE', list],
  });
});

test('directories and links have attributes of their own', async () => {
  fileSystem.root.xattrs.set('user.root', Buffer.from('r'));
  const link = fileSystem.symlink(fileSystem.root, 'link', 'file');
  link.xattrs.set('trusted.link', Buffer.from('l'));
  expect(await inClient('xattrs', served.root)).toEqual({ 'user.root': '72' });
  expect(await inClient('xattrs', path.join(served.root, 'link'))).toEqual({ 'trusted.link': '6c' });
});
