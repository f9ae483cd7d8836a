import { execFileSync } from 'node:child_process';
import path from 'node:path';

const MIB = 1024 * 1024;

// In a process of its own: what other tests of this one have left would be collected meanwhile, and be missing.
const PROGRAM = `
  const { allocatedBytes } = require(${JSON.stringify(path.join(__dirname, 'malloc-usage'))});
  const before = allocatedBytes();
  const large = Buffer.alloc(64 * ${MIB});
  const between = allocatedBytes();
  const small = Array.from({ length: 8192 }, () => Buffer.alloc(8192));
  const after = allocatedBytes();
  // Both are held up to here.
  const held = [large, ...small].reduce((sum, { length }) => sum + length, 0);
  console.log(JSON.stringify({ large: between - before, small: after - between, held }));`;

test('bytes of large and of many small buffers count as long as they are held', () => {
  const output = execFileSync(process.execPath, ['-e', PROGRAM], { encoding: 'utf8' });
  const { large, small, held } = JSON.parse(output) as Record<'large' | 'small' | 'held', number>;
  expect(held).toBe(128 * MIB);
  for (const counted of [large, small]) {
    expect(counted).toBeGreaterThan(60 * MIB);
    expect(counted).toBeLessThan(72 * MIB);
  }
});
