import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { punchHole } from './punch-hole';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hole-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

test('a stretch of a file becomes zeros, and takes no room', () => {
  const path = join(directory, 'file');
  writeFileSync(path, Buffer.alloc(1_048_576, 'x'));
  const before = statSync(path);
  const fd = openSync(path, 'r+');
  punchHole(fd, 65_536, 524_288);
  closeSync(fd);
  const expected = Buffer.alloc(1_048_576, 'x').fill(0, 65_536, 65_536 + 524_288);
  expect(readFileSync(path).equals(expected)).toBe(true);
  expect(statSync(path).blocks).toBeLessThanOrEqual(before.blocks - 524_288 / 512);
});

test('a descriptor that cannot be written to is an error', () => {
  const path = join(directory, 'file');
  writeFileSync(path, 'text');
  const fd = openSync(path, 'r');
  expect(() => punchHole(fd, 0, 4)).toThrow(/^fallocate descriptor \d+: EBADF$/);
  closeSync(fd);
});
