import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';

test('the threads of V8 yield to all others, the main thread and those of libuv to none', () => {
  const program = `
    const { readdirSync, promises } = require('node:fs');
    const { getPriority } = require('node:os');
    const before = new Set(readdirSync('/proc/self/task').map(Number));
    require(${JSON.stringify(resolve(__dirname, 'helper-threads.js'))}).lowerHelperThreads();
    void promises.stat('/').then(() => {
      const now = readdirSync('/proc/self/task').map(Number);
      const nice = (threads) => [...new Set(threads.map((thread) => getPriority(thread)))];
      const helpers = now.filter((thread) => before.has(thread) && thread !== process.pid);
      const later = now.filter((thread) => !before.has(thread));
      console.log(JSON.stringify([nice([process.pid]), nice(helpers), nice(later)]));
    });`;
  const [main, helpers, later] = JSON.parse(
    execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }),
  ) as number[][];
  expect(helpers).toEqual([10]);
  expect(later).toEqual(main);
});
