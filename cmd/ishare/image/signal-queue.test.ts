import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Runs in a process of its own, which signals may end, and gives what that writes. */
function run(program: string): string {
  const queue = JSON.stringify(join(__dirname, 'signal-queue.js'));
  const setting = `
    const { setTimeout: delay } = require('node:timers/promises');
    const { SignalQueue } = require(${queue});
    const say = (text) => process.stdout.write(text + ' ');
    /** Signals that come at once are told in any order. */
    const send = async (signal) => (process.kill(process.pid, signal), await delay(50));`;
  return execFileSync(process.execPath, ['-e', `${setting} (async () => { ${program} })()`], {
    encoding: 'utf8',
    timeout: 10_000,
  }).trim();
}

test('signals are given one by one, in their order, also those that came before anybody asked', () => {
  const said = run(`
    const queue = new SignalQueue();
    await send('SIGINT');
    await send('SIGTERM');
    say(await queue.next);
    say(await queue.next);
    queue.take();
    say(await queue.next);
    queue.take();
    const third = queue.next;
    await send('SIGHUP');
    say(await third);`);
  expect(said).toBe('SIGINT SIGINT SIGTERM SIGHUP');
});

test('one that comes after another was dealt with and before the next question is kept', () => {
  const said = run(`
    const queue = new SignalQueue();
    const first = queue.next;
    await send('SIGINT');
    say(await first);
    queue.take();
    await send('SIGHUP');
    say(await queue.next);`);
  expect(said).toBe('SIGINT SIGHUP');
});

test('afterwards a signal has its own effect', () => {
  const lives = `
    const queue = new SignalQueue();
    queue[Symbol.dispose]();
    await send('SIGTERM');`;
  expect(() => run(lives)).toThrow(expect.objectContaining({ signal: 'SIGTERM' }) as Error);
});
