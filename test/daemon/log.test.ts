import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { AdminConnection } from '../../cmd/ishare/admin-connection';
import type { StatusResponse } from '../../proto/admin-messages';
import { runCommand } from '../../scripts/process/command';
import { failureOf, SnapshotsConnection } from '../harness/snapshots-connection';
import { accepts, DAEMON, DaemonPlace } from './daemon-place';

let place: DaemonPlace;

beforeEach(async () => {
  place = await DaemonPlace.create();
});

afterEach(async () => {
  await place[Symbol.asyncDispose]();
});

/** Runs a daemon, asks it for something that is not there, stops it, and returns its log. */
async function logOf(level: string): Promise<string> {
  const daemon = await place.start({ flags: { 'log-level': level } });
  {
    using client = new SnapshotsConnection(place.flags.address);
    await failureOf(client.stat('missing\n\u001b[31m'));
    await failureOf(client.update({ name: 'x' }, 'parent'));
    await failureOf(client.commit('', 'key'));
  }
  await daemon.stop(20_000);
  return await readFile(daemon.logFile, 'utf8');
}

test('without a terminal every line is JSON with level, message and time', async () => {
  const lines = (await logOf('debug')).trimEnd().split('\n');
  const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const entry of entries) {
    expect(['error', 'warn', 'info', 'debug']).toContain(entry['level']);
    expect(typeof entry['message']).toBe('string');
    expect(Number.isNaN(Date.parse(String(entry['timestamp'])))).toBe(false);
  }
  const messages = entries.map(({ message }) => message);
  expect(messages).toEqual(expect.arrayContaining(['ready', 'stopping', 'stopped']));
  const ready = entries.find(({ message }) => message === 'ready');
  expect(ready).toMatchObject({ address: place.flags.address, admin: place.flags['admin-address'] });
  const refused = entries.find(({ message }) => String(message).startsWith('Commit: '));
  expect(refused).toMatchObject({ level: 'warn', method: 'Commit', code: 'INVALID_ARGUMENT' });
  // An error is told in words, not as the empty object that JSON makes of it.
  expect(refused?.['error']).toContain('needs a name');
});

test('the level is a threshold', async () => {
  const levels = async (level: string): Promise<unknown[]> =>
    (await logOf(level))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { level: unknown }).level);
  expect(new Set(await levels('debug'))).toEqual(new Set(['debug', 'info', 'warn']));
  place = await replaced();
  expect(new Set(await levels('warn'))).toEqual(new Set(['warn']));
  place = await replaced();
  expect(await levels('error')).toEqual([]);
});

async function replaced(): Promise<DaemonPlace> {
  await place[Symbol.asyncDispose]();
  return DaemonPlace.create();
}

test('on a terminal lines are for people, and names cannot steer it', async () => {
  const { config, root, state, address, 'admin-address': admin } = place.flags;
  await writeFile(
    config,
    `root = "${root}"\nstate = "${state}"\naddress = "${address}"\nadmin_address = "${admin}"\n`,
  );
  // script(1) gives the daemon a terminal and copies what it prints.
  const command = `${DAEMON} --config ${config} --log-level debug`;
  const running = runCommand('script', ['-qec', command, '/dev/null'], { timeLimit: 40_000 });
  const asked = (async () => {
    while (!(await accepts(address))) await sleep(20);
    using client = new SnapshotsConnection(address);
    await failureOf(client.stat('missing\n\u001b[31mred'));
    using connection = new AdminConnection(admin);
    const { pid } = await connection.call<StatusResponse>((stub, ...rest) => stub.Status({}, ...rest));
    process.kill(pid, 'SIGTERM');
  })();
  const [{ stdout }] = await Promise.all([running, asked]);
  const lines = stdout.trimEnd().split('\r\n');
  // eslint-disable-next-line no-control-regex
  const plain = lines.map((line) => line.replace(/\u001b\[\d+m/g, ''));
  for (const line of plain) expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d{3} (error|warn|info|debug) \S/);
  expect(plain[0]).toContain(`info ready`);
  expect(plain[0]).toContain(`address=${address}`);
  expect(lines.join('\n')).toContain('missing\\u000a\\u001b[31mred');
  expect(stdout).not.toContain('\u001b[31mred');
});

test('a log that nobody reads any more does not end the daemon', async () => {
  const daemon = place.launch({
    // The daemon's log goes into a pipe whose reader leaves after the first line.
    prefix: ['bash', '-c', 'exec "$@" 2> >(head -n 1 >/dev/null)', 'bash'],
    flags: { 'log-level': 'debug' },
  });
  await place.waitForSocket(daemon);
  using client = new SnapshotsConnection(place.flags.address);
  for (let attempt = 0; attempt < 20; attempt++) await failureOf(client.stat(`missing ${attempt}`));
  expect(await client.list()).toEqual([]);
  daemon.signal('SIGTERM');
  expect(await daemon.waitForExit(20_000)).toBe(true);
  expect(daemon.exitCode).toBe(0);
});
