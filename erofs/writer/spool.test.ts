import { fstatSync, readdirSync, readlinkSync } from 'node:fs';
import fc from 'fast-check';
import { SystemCallError } from '../../linux/errno';
import { cacheStat } from '../../linux/page-cache';
import { Spool } from './spool';
import { ScratchDirectory } from './testing/scratch-directory';

const MIB = 1024 * 1024;

function pattern(length: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 31 + seed + (index >> 8)) & 0xff));
}

/** The descriptor of the file that a process keeps open below `directory` without a name. */
function unnamedDescriptor(directory: string): number | undefined {
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`).startsWith(`${directory}/`)) return Number(fd);
    } catch {
      // The descriptor of this very listing is closed again.
    }
  }
  return undefined;
}

test('what was appended reads back, in any portions and from any place', () => {
  using scratch = new ScratchDirectory();
  const portion = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(MIB - 1, MIB, MIB + 1, 3 * MIB));
  fc.assert(
    fc.property(
      fc.array(portion, { maxLength: 6 }),
      fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 6 }),
      (lengths, reads) => {
        using spool = new Spool(scratch.path);
        const parts = lengths.map((length, index) => pattern(length, index));
        const offsets = parts.map((part) => spool.append(part));
        const whole = Buffer.concat(parts);
        expect(spool.size).toBe(whole.length);
        parts.forEach((part, index) => {
          expect(spool.read(offsets[index]!, part.length).equals(part)).toBe(true);
        });
        for (const [from, count] of reads) {
          const start = from % (whole.length + 1);
          const length = count % (whole.length - start + 1);
          expect(spool.read(start, length).equals(whole.subarray(start, start + length))).toBe(true);
        }
      },
    ),
    { numRuns: 20 },
  );
});

test('bytes that were never appended cannot be read', () => {
  using scratch = new ScratchDirectory();
  using spool = new Spool(scratch.path);
  spool.append(Buffer.from('abc'));
  expect(() => spool.read(1, 3)).toThrow(RangeError);
  expect(() => spool.read(-1, 1)).toThrow(RangeError);
});

test('the file has no name, and is closed with the spool', () => {
  using scratch = new ScratchDirectory();
  {
    using spool = new Spool(scratch.path);
    spool.append(Buffer.alloc(2 * MIB));
    expect(readdirSync(scratch.path)).toEqual([]);
    expect(unnamedDescriptor(scratch.path)).toBeDefined();
  }
  expect(unnamedDescriptor(scratch.path)).toBeUndefined();
});

test('contents have holes where no stretch is', () => {
  using scratch = new ScratchDirectory();
  using spool = new Spool(scratch.path);
  spool.append(Buffer.from('front'));
  const offset = spool.append(Buffer.from('first'));
  const second = spool.append(Buffer.from('second'));
  const source = spool.content(30, [
    { start: 3, length: 5, offset },
    { start: 20, length: 6, offset: second },
  ]);
  const expected = Buffer.alloc(30);
  expected.write('first', 3);
  expected.write('second', 20);
  for (const step of [1, 4, 7, 100]) {
    using reader = source.open();
    const parts: Buffer[] = [];
    for (;;) {
      const target = Buffer.alloc(step, 0xff);
      const count = reader.read(target);
      if (count === 0) break;
      parts.push(target.subarray(0, count));
    }
    reader.verify();
    expect(Buffer.concat(parts)).toEqual(expected);
  }
});

test('pages do not pile up in the page cache, neither when written nor when read', () => {
  using scratch = new ScratchDirectory();
  using spool = new Spool(scratch.path);
  const piece = pattern(MIB, 1);
  for (let index = 0; index < 150; index++) spool.append(piece);
  const fd = unnamedDescriptor(scratch.path)!;
  expect(fstatSync(fd).size).toBeGreaterThan(148 * MIB);
  const limit = (66 * MIB) / 4096;
  expect(cacheStat(fd).cachedPages).toBeLessThan(limit);
  for (let index = 0; index < 150; index++) spool.read(index * MIB, MIB);
  expect(cacheStat(fd).cachedPages).toBeLessThan(limit);
});

test('a full file system is told with the directory', () => {
  using scratch = new ScratchDirectory('tmpfs');
  scratch.shell('mount -o remount,size=4m "$D"');
  using spool = new Spool(scratch.path);
  const fill = (): void => {
    for (let index = 0; index < 8; index++) spool.append(Buffer.alloc(MIB, 1));
  };
  expect(fill).toThrow(SystemCallError);
  expect(fill).toThrow(`temporary file in ${scratch.path}: ENOSPC`);
});

test('a directory that is not there is named', () => {
  expect(() => new Spool('/nonexistent/directory')).toThrow('/nonexistent/directory');
});
