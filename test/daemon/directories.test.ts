import { access, mkdir, readdir, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import SqliteDatabase from 'better-sqlite3';
import { MS, mount } from '../../linux/mount';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { DaemonPlace, modeOf } from './daemon-place';

let place: DaemonPlace;

beforeEach(async () => {
  place = await DaemonPlace.create();
});

afterEach(async () => {
  await place[Symbol.asyncDispose]();
});

async function expectNothingRuns(): Promise<void> {
  expect(await place.mounts()).toEqual([]);
  expect(await place.sockets()).toEqual([]);
}

test('root and state are for their owner alone, and so is what lies in them', async () => {
  await place.start();
  const { root, state } = place.flags;
  expect(await modeOf(root)).toBe('700');
  expect(await modeOf(state)).toBe('700');
  for (const name of ['images', 'snapshots', 'trash'])
    expect(await modeOf(place.in('root', name))).toBe('700');
  for (const name of await readdir(root)) {
    if (/^(metadata|lock)/.test(name)) expect(await modeOf(place.in('root', name))).toBe('600');
  }
});

test('empty directories that others could enter are closed to them', async () => {
  for (const directory of [place.flags.root, place.flags.state]) await mkdir(directory, { mode: 0o755 });
  await place.start();
  expect(await modeOf(place.flags.root)).toBe('700');
  expect(await modeOf(place.flags.state)).toBe('700');
});

test('a state directory with other things in it keeps its mode', async () => {
  await mkdir(place.in('state', 'other'), { recursive: true });
  await place.start();
  expect(await modeOf(place.flags.state)).toBe('755');
});

describe.each([['root'], ['state']] as const)('--%s', (flag) => {
  test('that another daemon uses is refused, and that daemon goes on', async () => {
    await place.start();
    const other = { root: place.in('root2'), state: place.in('state2') };
    const { exitCode, stderr } = await place.refusal({
      flags: {
        ...other,
        [flag]: place.flags[flag],
        address: place.in('run', 's2.sock'),
        'admin-address': place.in('run', 'a2.sock'),
      },
    });
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      `ishare-snapshotter: another ishare-snapshotter uses --${flag} ${place.flags[flag]}\n`,
    );
    using client = new SnapshotsConnection(place.flags.address);
    expect(await client.list()).toEqual([]);
    expect(await place.sockets()).toEqual(['a.sock', 's.sock']);
    expect((await place.mounts()).map(({ target }) => target)).toEqual([place.in('state', 'images')]);
  });

  test.each([[':'], [','], ['\\']])(
    'with a %s is refused before anything is made: overlayfs could not mount it',
    async (bad) => {
      const directory = place.in(`bad${bad}name`);
      const { exitCode, stderr } = await place.refusal({ flags: { [flag]: directory } });
      expect(exitCode).toBe(1);
      expect(stderr).toBe(`ishare-snapshotter: ${directory}: overlayfs cannot mount paths with "${bad}"\n`);
      expect(await readdir(place.path)).toEqual(['config.toml']);
    },
  );

  test('that is a symbolic link to such a path is refused too', async () => {
    const target = place.in('a:b');
    await mkdir(target);
    await symlink(target, place.flags[flag]);
    const { stderr } = await place.refusal();
    expect(stderr).toContain(`${target}: overlayfs cannot mount paths with ":"`);
    expect(await readdir(target)).toEqual([]);
  });

  test('that is a regular file is refused', async () => {
    await writeFile(place.flags[flag], '');
    const { exitCode, stderr } = await place.refusal();
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`ishare-snapshotter: --${flag} ${place.flags[flag]}: cannot be used: EEXIST`);
    await expectNothingRuns();
  });

  test('below a regular file is refused', async () => {
    await writeFile(place.in('file'), '');
    const { exitCode, stderr } = await place.refusal({ flags: { [flag]: place.in('file', 'below') } });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      `ishare-snapshotter: --${flag} ${place.in('file', 'below')}: cannot be used: ENOTDIR`,
    );
    await expectNothingRuns();
  });

  test('on a read-only file system is refused', async () => {
    const readOnly = place.in('ro');
    await mkdir(readOnly);
    mount('none', readOnly, 'tmpfs', MS.RDONLY, '');
    const { exitCode, stderr } = await place.refusal({ flags: { [flag]: place.in('ro', 'dir') } });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`--${flag} ${place.in('ro', 'dir')}: cannot be used: E`);
    expect(await place.sockets()).toEqual([]);
  });
});

test('one directory for root and state is refused', async () => {
  const { exitCode, stderr } = await place.refusal({ flags: { state: place.flags.root } });
  expect(exitCode).toBe(1);
  expect(stderr).toBe(
    `ishare-snapshotter: --root and --state are both ${place.flags.root}; they must differ\n`,
  );
  await expect(access(place.flags.root)).rejects.toThrow('ENOENT');
});

test('paths with spaces, quotes and letters of all kinds work', async () => {
  const odd = place.in('a b\'c"d é 日本 %20 $x');
  await mkdir(odd);
  const flags = { root: `${odd}/root`, state: `${odd}/state`, address: `${odd}/s.sock` };
  await place.start({ flags });
  using client = new SnapshotsConnection(flags.address);
  await client.prepare('default/1/a');
  await client.commit('default/2/b', 'default/1/a');
  const [overlay] = await client.prepare('default/3/c', 'default/2/b');
  expect(overlay?.options.join()).toContain(`${odd}/state/images/`);
});

test('a state directory behind a symbolic link is mounted, cleared after a crash, and unmounted', async () => {
  await mkdir(place.in('real'));
  await symlink(place.in('real'), place.in('link'));
  const flags = { state: place.in('link', 'state') };
  const crashed = await place.start({ flags });
  crashed.signal('SIGKILL');
  await crashed.waitForExit(10_000);
  const daemon = await place.start({ flags });
  expect((await place.mounts()).map(({ target }) => target)).toEqual([place.in('real', 'state', 'images')]);
  await daemon.stop(20_000);
  expect(await place.mounts()).toEqual([]);
});

test('a foreign file system on the images directory is refused and stays', async () => {
  await mkdir(place.in('state', 'images'), { recursive: true });
  mount('none', place.in('state', 'images'), 'tmpfs', 0, '');
  const { exitCode, stderr } = await place.refusal();
  expect(exitCode).toBe(1);
  expect(stderr).toContain(
    `${place.in('state', 'images')}: a file system of type tmpfs is mounted here; unmount it first\n`,
  );
  expect((await place.mounts()).map(({ type }) => type)).toEqual(['tmpfs']);
});

describe('the database', () => {
  const database = (): string => place.in('root', 'metadata.db');

  test('of a later version is refused and kept as it is', async () => {
    const first = await place.start();
    await first.stop(20_000);
    const later = new SqliteDatabase(database());
    later.pragma('user_version = 4711');
    later.close();
    const { exitCode, stderr } = await place.refusal();
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      `ishare-snapshotter: ${database()} has schema version 4711, written by a later release`,
    );
    await expectNothingRuns();
    const kept = new SqliteDatabase(database(), { readonly: true });
    expect(kept.pragma('user_version', { simple: true })).toBe(4711);
    kept.close();
  });

  test.each([
    ['is no database', () => writeFile(database(), 'x'.repeat(8192))],
    ['is a directory', () => mkdir(database())],
  ])('that %s is refused by name', async (_what, spoil) => {
    await mkdir(place.flags.root, { mode: 0o700 });
    await spoil();
    const { exitCode, stderr } = await place.refusal();
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`ishare-snapshotter: ${database()}: `);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    await expectNothingRuns();
  });

  test('that is cut in half is refused by name', async () => {
    const first = await place.start();
    {
      using client = new SnapshotsConnection(place.flags.address);
      for (let index = 0; index < 50; index++) await client.prepare(`default/${index}/key-${index}`);
    }
    await first.stop(20_000);
    await rm(`${database()}-wal`, { force: true });
    await truncateToHalf(database());
    const { exitCode, stderr } = await place.refusal();
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`ishare-snapshotter: ${database()}: `);
    await expectNothingRuns();
  });
});

async function truncateToHalf(path: string): Promise<void> {
  await truncate(path, Math.floor((await stat(path)).size / 2));
}
