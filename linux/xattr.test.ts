import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { getXattr, listXattrs, setXattr } from './xattr';

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'xattr-'));
  file = path.join(directory, 'file');
  await writeFile(file, '');
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

const byName = (names: Buffer[]): string[] => names.map((name) => name.toString('latin1')).sort();

test('attributes come back as they were set', () => {
  setXattr(file, 'user.text', Buffer.from('value'));
  setXattr(file, 'trusted.binary', Buffer.from([0, 255, 0]));
  expect(byName(listXattrs(file))).toEqual(['trusted.binary', 'user.text']);
  expect(getXattr(file, 'user.text')).toEqual(Buffer.from('value'));
  expect(getXattr(file, 'trusted.binary')).toEqual(Buffer.from([0, 255, 0]));
});

test('an empty value is a value', () => {
  setXattr(file, 'user.empty', Buffer.alloc(0));
  expect(byName(listXattrs(file))).toEqual(['user.empty']);
  expect(getXattr(file, 'user.empty')).toEqual(Buffer.alloc(0));
  expect(getXattr(file, 'user.other')).toBeUndefined();
});

test('names and paths need not be UTF-8', async () => {
  const odd = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xff, 0x80])]);
  await writeFile(odd, '');
  const name = Buffer.concat([Buffer.from('user.'), Buffer.from([0xe9, 0xff])]);
  setXattr(odd, name, Buffer.from('x'));
  expect(listXattrs(odd)).toEqual([name]);
  expect(getXattr(odd, name)).toEqual(Buffer.from('x'));
});

test('a file without attributes has none, and so has one on a file system without them', () => {
  expect(listXattrs(file)).toEqual([]);
  expect(listXattrs('/proc/self/status')).toEqual([]);
  expect(getXattr('/proc/self/status', 'user.any')).toBeUndefined();
});

test('links are not followed', async () => {
  const link = path.join(directory, 'link');
  await symlink('file', link);
  setXattr(file, 'trusted.of-file', Buffer.from('f'));
  setXattr(link, 'trusted.of-link', Buffer.from('l'));
  expect(byName(listXattrs(link))).toEqual(['trusted.of-link']);
  expect(getXattr(link, 'trusted.of-file')).toBeUndefined();
});

test('an answer is a copy that the next call does not touch', () => {
  setXattr(file, 'user.a', Buffer.from('first'));
  setXattr(file, 'user.b', Buffer.from('other'));
  const first = getXattr(file, 'user.a');
  getXattr(file, 'user.b');
  expect(first).toEqual(Buffer.from('first'));
});

test('a missing file is an error that names it', () => {
  expect(() => listXattrs(`${file}.missing`)).toThrow(`llistxattr ${file}.missing: ENOENT`);
  expect(() => getXattr(`${file}.missing`, 'user.a')).toThrow(/ENOENT/);
  expect(() => setXattr(`${file}.missing`, 'user.a', Buffer.from('x'))).toThrow(/ENOENT/);
});
