import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** In a process of its own: others count their mappings. */
const PROCESS = join(__dirname, 'testing', 'shrinking-process.js');

test('what nobody holds any more is collected, and its memory given back', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [PROCESS]);
  const { held, left } = JSON.parse(stdout) as { held: number; left: number };
  expect(left).toBeLessThan(held / 4);
});
