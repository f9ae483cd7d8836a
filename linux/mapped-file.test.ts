import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MappedFile } from './mapped-file';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'mapped-'));
  file = path.join(directory, 'file');
});

afterEach(() => rmSync(directory, { recursive: true }));

test('what is written to the memory is in the file, and what is in the file is in the memory', () => {
  writeFileSync(file, Buffer.alloc(10_000, 'a'));
  using mapped = MappedFile.open(file);
  expect(mapped.bytes.length).toBe(10_000);
  expect(mapped.bytes.toString('latin1', 9_990)).toBe('aaaaaaaaaa');
  mapped.bytes.writeUInt32LE(0x64636261, 5000);
  expect(readFileSync(file).toString('latin1', 5000, 5004)).toBe('abcd');
  execFileSync('dd', [`of=${file}`, 'bs=1', 'seek=8000', 'conv=notrunc', 'status=none'], { input: 'xyz' });
  expect(mapped.bytes.toString('latin1', 8000, 8003)).toBe('xyz');
});

test('an empty file cannot be mapped', () => {
  writeFileSync(file, '');
  expect(() => MappedFile.open(file)).toThrow(/EINVAL/);
});
