import { open, readFile, rename, stat } from 'node:fs/promises';
import SqliteDatabase from 'better-sqlite3';
import type { ImageState, VerifiedImage } from '../../proto/admin-messages';
import type { BackgroundProcess } from '../../scripts/process/background-process';
import { IshareCommand } from '../harness/ishare-command';
import { noise } from '../harness/noise';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { DaemonPlace } from './daemon-place';
import { commitFiles } from './layers';

let place: DaemonPlace;
let daemon: BackgroundProcess;
let ishare: IshareCommand;

let client: SnapshotsConnection;

beforeAll(async () => {
  place = await DaemonPlace.create();
  daemon = await place.start();
  ishare = new IshareCommand(place.flags['admin-address']);
  client = new SnapshotsConnection(place.flags.address);
});

afterAll(async () => {
  client[Symbol.dispose]();
  await place[Symbol.asyncDispose]();
});

async function makeImages(...names: string[]): Promise<void> {
  for (const name of names) await commitFiles(client, name, { file: noise(name, 1 << 20) });
}

async function imageOf(name: string): Promise<ImageState> {
  return (await ishare.images()).find((image) => image.name === name)!;
}

/** Turns one bit in the middle of an image's file, or back again. */
async function turnBit(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  const { size } = await stat(path);
  const byte = Buffer.alloc(1);
  const at = Math.floor(size / 2);
  await file.read(byte, 0, 1, at);
  await file.write(Buffer.from([byte[0]! ^ 1]), 0, 1, at);
}

async function verify(
  ...words: string[]
): Promise<{ exitCode: number | undefined; results: VerifiedImage[] }> {
  const { exitCode, stdout } = await ishare.run('images', 'verify', ...words, '--json');
  return { exitCode, results: JSON.parse(stdout) as VerifiedImage[] };
}

/** Images of earlier releases have no recorded digests. */
function forgetDigests(name: string): void {
  const database = new SqliteDatabase(place.in('root', 'metadata.db'));
  database.prepare('UPDATE snapshots SET digests_root = NULL WHERE key = ?').run(name);
  database.close();
}

test('sound images are sound, one by one and all', async () => {
  await makeImages('one', 'two');
  const { exitCode, results } = await verify('--all');
  expect(exitCode).toBe(0);
  expect(results.map(({ name, outcome, method }) => [name, outcome, method])).toEqual(
    (await ishare.images()).map(({ name }) => [name, 'sound', 'digests']),
  );
  expect(results.map(({ name }) => name)).toEqual(expect.arrayContaining(['one', 'two']));
  expect(await ishare.text('images', 'verify', 'two')).toBe('two: sound (as it was built)\n');
});

test.each([
  ['by its digests', 'compared', false],
  ['decoded whole, where it has no digests', 'decoded', true],
])(
  'an image with a wrong bit is found %s, marked, and marked no more once it is right',
  async (_how, name, decoded) => {
    const other = `beside ${name}`;
    await makeImages(name, other);
    if (decoded) forgetDigests(name);
    const { path } = await imageOf(name);
    await turnBit(path);
    const { exitCode, results } = await verify(name, other);
    expect(exitCode).toBe(1);
    expect(results.map((result) => [result.name, result.outcome])).toEqual([
      [name, 'damaged'],
      [other, 'sound'],
    ]);
    expect(results[0]).toMatchObject({ method: decoded ? 'content' : 'digests', problem_count: 1 });
    expect(results[0]?.problems).toHaveLength(1);
    expect(await imageOf(name)).toMatchObject({ state: 'damaged', reason: results[0]?.problems[0] });
    expect(await imageOf(other)).toMatchObject({ state: 'computed', reason: '' });
    expect(await ishare.text('images', 'ls')).toContain(`\n${name} is damaged: `);
    expect(await readFile(daemon.logFile, 'utf8')).toContain(
      `{"image":"${name}","level":"error","message":"an image is damaged: `,
    );

    await turnBit(path);
    expect(await verify(name)).toMatchObject({ exitCode: 0, results: [{ name, outcome: 'sound' }] });
    expect(await imageOf(name)).toMatchObject({ state: 'computed', reason: '' });
  },
);

test('an image file that is gone is damaged', async () => {
  await makeImages('lost');
  const { path } = await imageOf('lost');
  await rename(path, `${path}.away`);
  const { exitCode, results } = await verify('lost');
  await rename(`${path}.away`, path);
  expect(exitCode).toBe(1);
  expect(results).toMatchObject([{ outcome: 'damaged' }]);
  expect(results[0]?.problems[0]).toContain('ENOENT');
  expect(await verify('lost')).toMatchObject({ exitCode: 0 });
});

test.each([
  [[], 'verify takes either names of images or --all'],
  [['one', '--all'], 'verify takes either names of images or --all'],
  [['no such image'], 'there is no snapshot "no such image"'],
])('verify with %j is an error', async (words, reason) => {
  const { exitCode, stderr } = await ishare.run('images', 'verify', ...words);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(reason);
});
