import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import fc from 'fast-check';
import { SequentialOutput } from './sequential-output';
import { ScratchDirectory } from './testing/scratch-directory';

test('writes what it is given, where it belongs, however it comes', () => {
  using scratch = new ScratchDirectory();
  const piece = fc.tuple(fc.integer({ min: 0, max: 1_500_000 }), fc.constantFrom('put', 'pad'));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), fc.integer({ min: 0, max: 10_000 }), (pieces, start) => {
      const path = scratch.join('file');
      const fd = openSync(path, 'w+');
      const watched: Buffer[] = [];
      const expected: Buffer[] = [];
      try {
        const output = new SequentialOutput(fd, start, (bytes) => watched.push(Buffer.from(bytes)));
        for (const [length, kind] of pieces) {
          const bytes = Buffer.alloc(length, kind === 'put' ? length % 251 : 0);
          expected.push(bytes);
          if (kind === 'put') output.put(bytes);
          else output.padTo(output.position + length);
        }
        output.flush();
      } finally {
        closeSync(fd);
      }
      const all = Buffer.concat(expected);
      expect(Buffer.concat(watched).equals(all)).toBe(true);
      // Zeros at the end may be missing: the file's length is set by its owner.
      const written = readFileSync(path).subarray(start);
      expect(written.equals(all.subarray(0, written.length))).toBe(true);
      expect(all.subarray(written.length).every((byte) => byte === 0)).toBe(true);
    }),
    { numRuns: 25 },
  );
});

test('leaves zeros out', () => {
  using scratch = new ScratchDirectory();
  const fd = openSync(scratch.join('file'), 'w+');
  try {
    const output = new SequentialOutput(fd, 0);
    output.padTo(50_000_000);
    output.put(Buffer.from('end'));
    output.flush();
  } finally {
    closeSync(fd);
  }
  const { size, blocks } = statSync(scratch.join('file'));
  expect(size).toBe(50_000_003);
  expect(blocks * 512).toBeLessThan(2_000_000);
});
