import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { returnFreeMemory } from './free-memory';

const MIB = 1024 * 1024;

test('memory of many small buffers goes back to the kernel', () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const allocate = (): number => {
    const buffers = Array.from({ length: 64 * 1024 }, () => Buffer.alloc(1024, 1));
    return buffers.length;
  };
  expect(allocate()).toBe(64 * 1024);
  collectGarbage();
  const before = process.memoryUsage.rss();
  expect(returnFreeMemory()).toBe(true);
  expect(before - process.memoryUsage.rss()).toBeGreaterThan(8 * MIB);
});
