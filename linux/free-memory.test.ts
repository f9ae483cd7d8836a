import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

const MIB = 1024 * 1024;

// In a process of its own: what others have allocated and set decides what the C library gives back by itself.
test('memory of many small buffers goes back to the kernel', async () => {
  const program = `
    const { returnFreeMemory } = require(${JSON.stringify(path.join(__dirname, 'free-memory'))});
    const allocate = () => Array.from({ length: 64 * 1024 }, () => Buffer.alloc(1024, 1)).length;
    allocate();
    gc();
    // A thread of V8 frees what was collected, and the next collection waits for it.
    gc();
    const before = process.memoryUsage.rss();
    const done = returnFreeMemory();
    console.log(JSON.stringify({ done, given: before - process.memoryUsage.rss() }));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '-e', program]);
  const { done, given } = JSON.parse(stdout) as { done: boolean; given: number };
  expect(done).toBe(true);
  expect(given).toBeGreaterThan(8 * MIB);
});
