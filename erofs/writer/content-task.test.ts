import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** koffi frees nothing of what it makes for a thread, and the threads of a crew come and go with each large layer. */
test('hashing loads no koffi', () => {
  const script = `
    const { ContentWork } = require(${JSON.stringify(join(__dirname, 'content-task.js'))});
    const task = { kind: 'hash', input: new SharedArrayBuffer(5), offset: 0, length: 5, last: true };
    const { digest } = new ContentWork([]).perform(task);
    console.log(digest.length, Object.keys(require.cache).some((name) => name.includes('koffi')));`;
  const output = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 20_000 });
  expect(output).toBe('32 false\n');
});
