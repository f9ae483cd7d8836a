import { allocatedBytes } from './malloc-usage';

const MIB = 1024 * 1024;

// What others have left may be collected at any moment, so half of what was taken is asked for. The last line keeps
// both kinds from being collected before.
test('bytes of large and of many small buffers count as long as they are held', () => {
  const before = allocatedBytes();
  const large = Buffer.alloc(64 * MIB);
  expect(allocatedBytes() - before).toBeGreaterThan(large.length / 2);
  const between = allocatedBytes();
  const small = Array.from({ length: 8192 }, () => Buffer.alloc(8192));
  expect(allocatedBytes() - between).toBeGreaterThan((small.length * 8192) / 2);
  expect([large, ...small].every((buffer) => buffer[0] === 0)).toBe(true);
});
