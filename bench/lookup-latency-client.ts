import { spawn } from 'node:child_process';
import { lstatSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';

/**
 * Looks files up one after the other, as a process of its own: a JSON array of paths comes as a file, their times in
 * microseconds go out as JSON. Between two lookups it asks another process for nothing at all, through a pair of fifos, so
 * that one sees what the machine takes for waking two processes at that moment; and it sleeps for a millisecond, as somebody
 * does who does not want all of a processor.
 */
const [list = '', there = '', back = ''] = process.argv.slice(2);
const paths = JSON.parse(readFileSync(list, 'utf8')) as string[];
const echo = spawn('cat', { stdio: [openSync(there, 'r+'), openSync(back, 'r+'), 'inherit'] });
const [out, into] = [openSync(there, 'w'), openSync(back, 'r')];
const sleeper = new Int32Array(new SharedArrayBuffer(4));
const byte = Buffer.alloc(1);

function timed(work: () => void): number {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start) / 1000;
}

const lookups: number[] = [];
const echoes: number[] = [];
for (const path of paths) {
  Atomics.wait(sleeper, 0, 0, 1);
  lookups.push(timed(() => lstatSync(path)));
  Atomics.wait(sleeper, 0, 0, 1);
  echoes.push(
    timed(() => {
      writeSync(out, byte);
      readSync(into, byte);
    }),
  );
}
echo.kill();
process.stdout.write(JSON.stringify({ lookups, echoes }));
