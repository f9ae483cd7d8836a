import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { FileUser } from '../../ishare/testing/file-user';
import { readTakeoverState } from '../../ishare/takeover/takeover-state';
import type { BackgroundProcess } from '../../scripts/process/background-process';
import { IshareCommand } from '../harness/ishare-command';
import { mountSnapshot, type Mounted } from '../harness/mounting';
import { installVersion } from '../harness/other-version';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { DaemonPlace } from './daemon-place';
import { commitFiles } from './layers';

const NEWER = '99.0.0';
const CONTENT = randomBytes(8 << 20);
/** More than is read ahead, so that each piece is asked of the daemon. */
const PIECE = 1 << 20;
/** How long the file may stay open (ms). */
const USER_LIMIT = 60_000;

let place: DaemonPlace;
let version: string;

beforeEach(async () => {
  place = await DaemonPlace.create('[domains]\ndefault = "one"\n');
});

afterEach(async () => {
  await place[Symbol.asyncDispose]();
});

async function container(name: string): Promise<Mounted> {
  using client = new SnapshotsConnection(place.flags.address);
  return await mountSnapshot(await client.prepare(`default/9/${name}`, 'layer'), place.in(name));
}

/** A daemon of this version with a layer, whose file somebody has open in a container. */
async function inUse(): Promise<{ daemon: BackgroundProcess; mounted: Mounted; user: FileUser }> {
  const daemon = await place.start();
  version = await servingVersion();
  {
    using client = new SnapshotsConnection(place.flags.address);
    await commitFiles(client, 'layer', { file: CONTENT });
  }
  const mounted = await container('first');
  return { daemon, mounted, user: await FileUser.open(join(mounted.path, 'file'), 0, USER_LIMIT) };
}

async function expectPiece(user: FileUser, index: number): Promise<void> {
  const piece = await user.read(index * PIECE, PIECE);
  expect(piece.equals(CONTENT.subarray(index * PIECE, (index + 1) * PIECE))).toBe(true);
}

async function servingVersion(): Promise<string> {
  return (await new IshareCommand(place.flags['admin-address']).status()).version;
}

async function end(daemon: BackgroundProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  daemon.signal(signal);
  expect(await daemon.waitForExit(20_000)).toBe(true);
  if (signal === 'SIGTERM') expect(daemon.exitCode).toBe(0);
}

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'after %s a newer version goes on with what is open and mapped, and the older one after it',
  async (signal) => {
    const program = await installVersion(place.in('newer'), NEWER);
    const { daemon, mounted, user } = await inUse();
    using _first = mounted;
    await using _user = user;
    expect(await user.map('shared')).toBe(true);
    await expectPiece(user, 0);
    const { holder } = (await readTakeoverState(place.flags.state))!;

    await end(daemon, signal);
    const waiting = expectPiece(user, 1);
    const newer = await place.start({ program });
    await waiting;
    expect(await servingVersion()).toBe(NEWER);
    expect(await readTakeoverState(place.flags.state)).toMatchObject({ holder });
    await expectPiece(user, 2);
    expect((await user.mapped(3 * PIECE, PIECE)).equals(CONTENT.subarray(3 * PIECE, 4 * PIECE))).toBe(true);
    {
      using second = await container('second');
      await using other = await FileUser.open(join(second.path, 'file'));
      await expectPiece(other, 4);
    }
    {
      using client = new SnapshotsConnection(place.flags.address);
      await commitFiles(client, 'of the newer', { file: 'content' });
    }

    await end(newer, signal);
    await place.start();
    expect(await servingVersion()).toBe(version);
    await expectPiece(user, 5);
    expect((await user.mapped(6 * PIECE, PIECE)).equals(CONTENT.subarray(6 * PIECE, 7 * PIECE))).toBe(true);
    using client = new SnapshotsConnection(place.flags.address);
    expect((await client.list('kind==committed')).map(({ name }) => name)).toEqual(['layer', 'of the newer']);
  },
);

/** Changes what a daemon has stored into what a later version would have, and returns how it is undone. */
type Age = () => Promise<() => Promise<void>>;

const databaseOfLater: Age = () => {
  const setVersion = (version: number): number => {
    const database = new Database(place.in('root', 'metadata.db'));
    const before = Number(database.pragma('user_version', { simple: true }));
    database.pragma(`user_version = ${version}`);
    database.close();
    return before;
  };
  const before = setVersion(99);
  return Promise.resolve(() => Promise.resolve(void setVersion(before)));
};

const mountsOfLater: Age = async () => {
  const file = place.in('state', 'takeover.json');
  const text = await readFile(file, 'utf8');
  await writeFile(file, JSON.stringify({ ...(JSON.parse(text) as object), version: 99, program: NEWER }));
  return () => writeFile(file, text);
};

test.each([
  [
    'tables of the database',
    databaseOfLater,
    /metadata\.db has schema version 99, written by a later release/,
  ],
  ['mounts', mountsOfLater, /those of ishare-snapshotter 99\.0\.0, whose state has version 99/],
])(
  'of a later version, the %s lead to a refusal in one line, and are left to that version',
  async (_what, age, message) => {
    const { daemon, mounted, user } = await inUse();
    using _mounted = mounted;
    await using _user = user;
    await end(daemon, 'SIGTERM');
    const undo = await age();
    const { exitCode, stderr } = await place.refusal();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    const waiting = expectPiece(user, 0);
    await undo();
    await place.start();
    await waiting;
  },
);
