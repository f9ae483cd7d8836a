import { lstat, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makeDevice, makeNode } from './device-node';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'node-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

test.each([
  [0, 0],
  [1, 3],
  [8, 255],
  [8, 256],
  [0xfff, 0xfffff],
])('a device %i:%i has these numbers', async (major, minor) => {
  const file = path.join(directory, 'device');
  makeNode(file, 0o020600, makeDevice(major, minor));
  const { rdev, mode } = await lstat(file);
  expect(mode).toBe(0o020600);
  expect((rdev >>> 8) & 0xfff).toBe(major);
  expect(((rdev & 0xff) | ((rdev >>> 12) & 0xfff00)) >>> 0).toBe(minor);
});

test.each([
  ['fifo', 0o010644, 'isFIFO'],
  ['socket', 0o140600, 'isSocket'],
] as const)('a %s needs no number', async (_what, mode, question) => {
  const file = path.join(directory, 'node');
  makeNode(file, mode);
  expect((await lstat(file))[question]()).toBe(true);
});

test('what exists already is not replaced', () => {
  expect(() => makeNode(directory, 0o010600)).toThrow(`mknod ${directory}: EEXIST`);
});
