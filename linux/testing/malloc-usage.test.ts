import { allocatedBytes } from './malloc-usage';

const MIB = 1024 * 1024;

test('bytes of large and of many small buffers count as long as they are held', () => {
  const before = allocatedBytes();
  const large = Buffer.alloc(64 * MIB);
  expect(allocatedBytes() - before).toBeGreaterThanOrEqual(large.length);
  const between = allocatedBytes();
  const small = Array.from({ length: 8192 }, () => Buffer.alloc(8192));
  expect(allocatedBytes() - between).toBeGreaterThanOrEqual(small.length * 8192);
});
