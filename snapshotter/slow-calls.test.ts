import { Writable } from 'node:stream';
import { createLogger, format, transports } from 'winston';
import { slowCalls, type PendingCall } from './slow-calls';

let lines: Record<string, unknown>[];

function logger() {
  const stream = new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(JSON.parse(line.toString()) as Record<string, unknown>);
      done();
    },
  });
  // winston types its transports as interfaces beside the class that it demands here.
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
  return createLogger({ format: format.json(), transports: [new transports.Stream({ stream })] });
}

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] });
  lines = [];
});

afterEach(() => {
  jest.useRealTimers();
});

const call = (method: string, ...keys: string[]): PendingCall => ({ method, keys });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a call that takes long is logged with those before it that are about the same snapshot', async () => {
  using watch = slowCalls({ logger: logger(), thresholdMs: 60_000, commitThresholdMs: 600_000 });
  const commit = call('Commit', 'key', 'name');
  const mounts = call('Mounts', 'key');
  for (const each of [commit, call('Stat', 'other'), mounts, call('Remove', 'key')]) watch.began(each);
  jest.advanceTimersByTime(60_000);
  await turn();
  expect(lines).toEqual([
    expect.objectContaining({ method: 'Stat', keys: ['other'], seconds: 60, behind: [] }),
    expect.objectContaining({ method: 'Mounts', keys: ['key'], seconds: 60, behind: ['Commit'] }),
    expect.objectContaining({ method: 'Remove', keys: ['key'], seconds: 60, behind: ['Commit', 'Mounts'] }),
  ]);
  expect(watch.slow).toBe(3);
  watch.ended(mounts);
  await turn();
  expect(lines.at(-1)).toMatchObject({ message: 'a call was answered late', method: 'Mounts', seconds: 60 });
  expect([watch.noticed, watch.slow]).toEqual([3, 2]);
});

test('a Commit has more time', async () => {
  using watch = slowCalls({ logger: logger() });
  watch.began(call('Commit', 'key', 'name'));
  jest.advanceTimersByTime(599_000);
  await turn();
  expect(lines).toEqual([]);
  jest.advanceTimersByTime(16_000);
  await turn();
  expect(lines).toMatchObject([{ level: 'warn', message: 'a call is not answered', method: 'Commit' }]);
});
