import { CommandError, runCommand } from './command';
import { isAlive } from './process-table';

async function failureOf(running: Promise<unknown>): Promise<CommandError> {
  const caught = await running.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(caught).toBeInstanceOf(CommandError);
  return caught as CommandError;
}

test('a command gives both its outputs', async () => {
  expect(await runCommand('sh', ['-c', 'echo out; echo err >&2'])).toEqual({
    stdout: 'out\n',
    stderr: 'err\n',
  });
});

test('the ways to fail are told apart', async () => {
  const exit = await failureOf(runCommand('sh', ['-c', 'echo why >&2; exit 3']));
  expect(exit.outcome).toMatchObject({ failure: 'exit-code', exitCode: 3 });
  expect(exit.message).toContain('why');
  const killed = await failureOf(runCommand('sh', ['-c', 'kill -TERM $$']));
  expect(killed.outcome).toMatchObject({ failure: 'signal', signal: 'SIGTERM' });
  const absent = await failureOf(runCommand('/nowhere/program', []));
  expect(absent.outcome.failure).toBe('not-started');
});

test('a time limit and an abort kill the children too', async () => {
  for (const how of ['time-limit', 'aborted'] as const) {
    const controller = new AbortController();
    const running = runCommand('sh', ['-c', 'sleep 1000 & echo $!; wait'], {
      timeLimit: how === 'time-limit' ? 300 : 60_000,
      signal: controller.signal,
    });
    if (how === 'aborted') setTimeout(() => controller.abort(), 300);
    const error = await failureOf(running);
    expect(error.outcome.failure).toBe(how);
    const child = Number(error.outcome.stdout);
    expect(child).toBeGreaterThan(0);
    while (await isAlive(child)) await new Promise((resolve) => setTimeout(resolve, 10));
  }
});
