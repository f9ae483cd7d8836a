import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { duplicateDescriptor } from './duplicate-descriptor';
import { SystemCallError } from './errno';

test('the copy shares the position, lives on its own, and is closed by exec', () => {
  const path = '/etc/passwd';
  const first = openSync(path, 'r');
  readSync(first, Buffer.alloc(5));
  const second = duplicateDescriptor(first);
  closeSync(first);
  const flags = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${second}`, 'utf8'))?.[1];
  expect(Number.parseInt(flags ?? '', 8) & 0o2000000).not.toBe(0);
  const next = Buffer.alloc(5);
  readSync(second, next);
  expect(next).toEqual(readFileSync(path).subarray(5, 10));
  closeSync(second);
});

test('a descriptor that is not open is an error', () => {
  expect(() => duplicateDescriptor(1_000_000)).toThrow(SystemCallError);
});
