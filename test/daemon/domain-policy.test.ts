import { readFile, writeFile } from 'node:fs/promises';
import { DOMAIN_LABEL } from '../../config/domain-policy';
import { CommandError, runCommand } from '../../scripts/process/command';
import { eventually } from '../../linux/testing/eventually';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { ADMIN, DaemonPlace } from './daemon-place';
import { commitFiles } from './layers';

const POLICY = `[domains]
rules = [{ namespace = "red-*", choose = ["red-*"] }, { labels = { "containerd.io/snapshot/team" = "blue" }, domain = "blue" }]
[domains.namespaces]
red-1 = "red-common"
`;

let place: DaemonPlace;
let client: SnapshotsConnection;

beforeEach(async () => {
  place = await DaemonPlace.create(POLICY);
});

afterEach(async () => {
  client[Symbol.dispose]();
  await place[Symbol.asyncDispose]();
});

async function start(): Promise<ReturnType<DaemonPlace['launch']>> {
  const daemon = await place.start();
  client = new SnapshotsConnection(place.flags.address);
  await commitFiles(client, 'base', { file: 'text' });
  return daemon;
}

async function ishare(...words: string[]): Promise<string> {
  const { stdout } = await runCommand(ADMIN, [...words, '--address', place.flags['admin-address']]);
  return stdout;
}

/** Domains in which the layer is attached; "" is none. */
async function attachedIn(): Promise<string[]> {
  const [image] = JSON.parse(await ishare('images', 'ls', '--json')) as { attached_in: string[] }[];
  return image!.attached_in.sort();
}

async function refusals(): Promise<string[]> {
  const log = await readFile(place.in('daemon-0.log'), 'utf8');
  return log.split('\n').filter((line) => line.includes('refused the domain'));
}

test('a container gets the domain that rules, labels and the table give it', async () => {
  await start();
  await client.prepare('red-1/1/a', 'base');
  expect(await attachedIn()).toEqual(['red-common']);
  await client.prepare('red-1/2/b', 'base', { [DOMAIN_LABEL]: 'red-own' });
  expect(await attachedIn()).toEqual(['red-common', 'red-own']);
  await client.view('any/3/c', 'base', { 'containerd.io/snapshot/team': 'blue' });
  expect(await attachedIn()).toEqual(['blue', 'red-common', 'red-own']);
  expect(await refusals()).toEqual([]);
});

test.each([
  ['of another team', 'blue'],
  ['of another namespace', 'red-common'],
  ['with a path in its name', 'red-../../x'],
  ['that is the directory above', '..'],
  ['with a NUL in its name', 'red-1\0'],
  ['with line ends and escapes in its name', 'red-1\n{"level":"info"}\u001b[2J'],
  ['with a name of 4 KiB', `red-${'x'.repeat(4096 - 4 - DOMAIN_LABEL.length)}`],
])('a label that claims a domain %s gets none, and leaves one line in the log', async (_what, claim) => {
  await start();
  await client.prepare('other/1/a', 'base', { [DOMAIN_LABEL]: claim });
  expect(await attachedIn()).toEqual(['']);
  const lines = await refusals();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('other/1/a');
  expect(lines[0]!.length).toBeLessThan(500);
  expect(lines[0]).not.toMatch(/\p{Cc}/u);
});

test('SIGHUP and `ishare config reload` bring a new policy for what is made afterwards', async () => {
  const daemon = await start();
  await client.prepare('red-1/1/a', 'base');
  await writeFile(place.flags.config, '[domains.namespaces]\nred-1 = "green"\n');
  expect(await ishare('config', 'reload')).toBe(
    'The domains of the file are in force for containers that are made from now on.\n',
  );
  expect(await attachedIn()).toEqual(['red-common']);
  await client.prepare('red-1/2/b', 'base');
  expect(await attachedIn()).toEqual(['green', 'red-common']);
  await writeFile(place.flags.config, '[domains]\ndefault = "everybody"\n[fuse]\nread_ahead_kib = 64\n');
  daemon.signal('SIGHUP');
  await eventually('the new policy is in force', async () =>
    (await ishare('domains', 'ls')).includes('everybody'),
  );
  expect(await ishare('config', 'reload')).toContain('wait for a restart: fuse\n');
  await client.prepare('plain key', 'base');
  expect(await attachedIn()).toEqual(['everybody', 'green', 'red-common']);
});

test('a bad file is refused with line or key, and the old policy stays', async () => {
  const daemon = await start();
  for (const [text, reason] of [
    ['[domains]\ndefault = "a/b"\n', 'key domains.default (line 2)'],
    ['[domains\n', 'line 1'],
  ] as const) {
    await writeFile(place.flags.config, text);
    const failure = await ishare('config', 'reload').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CommandError);
    expect((failure as CommandError).stderr).toMatch(/^ishare: configuration .*config\.toml/);
    expect((failure as CommandError).stderr).toContain(reason);
  }
  daemon.signal('SIGHUP');
  await eventually('the log tells it', async () =>
    (await readFile(place.in('daemon-0.log'), 'utf8')).includes('the old configuration stays in force'),
  );
  await client.prepare('red-1/1/a', 'base');
  expect(await attachedIn()).toEqual(['red-common']);
});
