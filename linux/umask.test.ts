import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

test.each(['022', '077', '000'])('the mask %s is found', (mask) => {
  const program = `require(${JSON.stringify(join(__dirname, 'umask.js'))}).fileCreationMask().then(console.log)`;
  const line = `umask ${mask}; exec "$0" -e "$1"`;
  const output = execFileSync('sh', ['-c', line, process.execPath, program], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  expect(Number(output)).toBe(parseInt(mask, 8));
});
