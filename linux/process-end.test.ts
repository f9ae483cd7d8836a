import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { WatchedProcess } from './process-end';

test('the end of a process is noticed, and until then it is waited for', async () => {
  const child = spawn('sleep', ['100'], { stdio: 'ignore' });
  try {
    const watched = await WatchedProcess.find(child.pid!);
    expect(watched?.pid).toBe(child.pid);
    expect(await watched!.ends(30)).toBe(false);
    const gone = watched!.ends(10_000);
    child.kill('SIGKILL');
    expect(await gone).toBe(true);
  } finally {
    child.kill('SIGKILL');
  }
});

test('one that its parent has not buried yet has ended all the same', async () => {
  const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 100'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const zombie = await WatchedProcess.find(Number(line.toString()));
    expect(await (zombie?.ends(10_000) ?? true)).toBe(true);
    expect(await WatchedProcess.find(Number(line.toString()))).toBeUndefined();
  } finally {
    parent.kill('SIGKILL');
  }
});

test('a process that never was is not found', async () => {
  expect(await WatchedProcess.find(2 ** 22 + 1)).toBeUndefined();
});
