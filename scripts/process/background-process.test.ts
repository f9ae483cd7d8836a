import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFile } from 'node:fs/promises';
import { BackgroundProcess, BackgroundProcessError } from './background-process';
import { isAlive } from './process-table';
import { TemporaryDirectory } from './temporary-directory';

function shell(directory: TemporaryDirectory, script: string): BackgroundProcess {
  return BackgroundProcess.start({
    program: 'sh',
    arguments: ['-c', script],
    logFile: join(directory.path, 'log'),
  });
}

test('SIGTERM ends a process that listens to it, SIGKILL one that does not', async () => {
  await using directory = await TemporaryDirectory.create();
  const willing = shell(directory, 'exec sleep 1000');
  expect(await willing.stop(5_000)).toBe(true);
  const stubborn = shell(directory, 'trap "" TERM; echo ready; while :; do sleep 0.1; done');
  const ready = async (): Promise<boolean> => (await readFile(stubborn.logFile, 'utf8')).includes('ready');
  await stubborn.waitUntil(ready, 'ready', 5_000);
  expect(await stubborn.stop(200)).toBe(false);
  expect(await isAlive(stubborn.pid)).toBe(false);
});

test('waiting for a process that ends says how it ended, with the end of its log', async () => {
  await using directory = await TemporaryDirectory.create();
  const failing = shell(directory, 'echo the reason; exit 4');
  const waiting = failing.waitUntil(() => Promise.resolve(false), 'never', 10_000);
  await expect(waiting).rejects.toThrow(/ended with 4\nthe reason/);
  const absent = BackgroundProcess.start({
    program: '/nowhere/program',
    arguments: [],
    logFile: join(directory.path, 'log'),
  });
  await expect(absent.waitUntil(() => sleep(1, false), 'never', 1_000)).rejects.toThrow(
    BackgroundProcessError,
  );
  expect(await absent.stop(100)).toBe(true);
});

test('waiting ends at its time limit', async () => {
  await using directory = await TemporaryDirectory.create();
  const idle = shell(directory, 'exec sleep 1000');
  await expect(idle.waitUntil(() => sleep(1, false), 'a sign', 100)).rejects.toThrow('not ready (a sign)');
  await idle.stop(5_000);
});
