import { lstatSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFileTimes } from './file-times';

const directory = mkdtempSync(join(tmpdir(), 'ishare-times-'));

afterAll(() => {
  rmSync(directory, { recursive: true });
});

const before1970 = { seconds: -86_401, nanoseconds: 999_999_999 };
const recent = { seconds: 1_700_000_000, nanoseconds: 123_456_789 };

test('sets times to the nanosecond, also those before 1970', () => {
  const file = join(directory, 'file');
  writeFileSync(file, '');
  setFileTimes(file, recent, before1970);
  const stats = lstatSync(file, { bigint: true });
  expect(stats.atimeNs).toBe(1_700_000_000_123_456_789n);
  expect(stats.mtimeNs).toBe(-86_400_000_000_001n);
});

test('sets the times of a symlink, not of what it points to', () => {
  const file = join(directory, 'target');
  const link = join(directory, 'link');
  writeFileSync(file, '');
  symlinkSync(file, link);
  const target = lstatSync(file, { bigint: true });
  setFileTimes(link, recent, recent);
  expect(lstatSync(link, { bigint: true }).mtimeNs).toBe(1_700_000_000_123_456_789n);
  expect(lstatSync(file, { bigint: true }).mtimeNs).toBe(target.mtimeNs);
});

test('names the call and the path that fail', () => {
  const missing = join(directory, 'missing');
  expect(() => {
    setFileTimes(missing, recent, recent);
  }).toThrow(`utimensat ${missing}: ENOENT`);
});
