import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import type { Finding } from '../../cmd/ishare/doctor/finding';
import { endHolder, holderLives, startHolder } from '../../ishare/takeover/holder';
import { readTakeoverState } from '../../ishare/takeover/takeover-state';
import { FuseDevice } from '../../fuse/device';
import { mountFuse, mountFuseDetached } from '../../fuse/mount';
import { UMOUNT, unmount } from '../../linux/mount';
import { CommandError, runCommand } from '../../scripts/process/command';
import { mountSnapshot } from '../harness/mounting';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { ADMIN, DaemonPlace, modeOf } from './daemon-place';
import { commitFiles } from './layers';

let place: DaemonPlace;

beforeEach(async () => {
  place = await DaemonPlace.create();
  const { address, config } = place.flags;
  await writeFile(config, `address = "${address}"\n[domains]\ndefault = "all"\n`);
});

afterEach(async () => {
  await place[Symbol.asyncDispose]();
});

interface Report {
  readonly root: string;
  readonly state: string;
  readonly daemon_runs: boolean;
  readonly findings: (Omit<Finding, 'repair'> & { readonly repairable: boolean })[];
  readonly repairs?: { what: string; where: string; outcome: string; reason: string }[];
}

/** More than any look takes; a look at a mount that nobody serves would never end. */
const TIME_LIMIT = 25_000;

async function run(...flags: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const { root, state } = place.flags;
  const where = ['--root', root, '--state', state, '--config', place.flags.config];
  const sockets = ['--admin-address', place.flags['admin-address']];
  try {
    const end = await runCommand(ADMIN, ['doctor', ...where, ...sockets, ...flags], {
      timeLimit: TIME_LIMIT,
    });
    return { exitCode: 0, ...end };
  } catch (error) {
    if (!(error instanceof CommandError) || error.outcome.failure !== 'exit-code') throw error;
    return { exitCode: error.outcome.exitCode ?? -1, stdout: error.outcome.stdout, stderr: error.stderr };
  }
}

async function report(...flags: string[]): Promise<Report> {
  return JSON.parse((await run('--json', ...flags)).stdout) as Report;
}

/** What is wrong, as `what: name of the file`. */
function problemsIn({ findings }: Report): string[] {
  return findings
    .filter(({ level }) => level === 'problem')
    .map(({ what, where }) => `${what}: ${where.replace(`${place.path}/`, '')}`)
    .sort();
}

async function withClient<Result>(work: (client: SnapshotsConnection) => Promise<Result>): Promise<Result> {
  using client = new SnapshotsConnection(place.flags.address);
  return await work(client);
}

/** A layer, and a container above it. */
async function fill(): Promise<void> {
  await withClient(async (client) => {
    await commitFiles(client, 'layer', { file: 'content', large: Buffer.alloc(100_000, 'x') });
    await client.prepare('default/8/container', 'layer');
  });
}

/** Something of each kind that no row owns. */
async function plant(): Promise<string[]> {
  const { root } = place.flags;
  await writeFile(join(root, 'images', '900.erofs'), 'image');
  await writeFile(join(root, 'images', '900.digests'), 'digests');
  await writeFile(join(root, 'images', '.901.erofs.tmp-0123456789abcdef'), 'half an image');
  await writeFile(join(root, 'images', 'notes'), 'no image');
  await mkdir(join(root, 'snapshots', '902', 'fs', 'deep'), { recursive: true });
  return [
    "a snapshot's directory without a row: root/snapshots/902",
    'a file that is no image: root/images/notes',
    'an image without a row: root/images/900.erofs',
    'an unfinished image: root/images/.901.erofs.tmp-0123456789abcdef',
    'digests without a row: root/images/900.digests',
  ];
}

test('a daemon that works: nothing is found, before and after work', async () => {
  expect(await run()).toMatchObject({ exitCode: 0, stderr: '' });
  await place.start();
  await fill();
  using _container = await withClient(async (client) =>
    mountSnapshot(await client.mounts('default/8/container'), place.in('rootfs')),
  );
  const { exitCode, stdout, stderr } = await run();
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toMatch(/\n {2}ok {7}a holder keeps the mounts over restarts \(process \d+\)\n/);
  expect(stdout).toMatch(/\n\nNothing found\.\n$/);
  expect(await report()).toMatchObject({
    root: place.flags.root,
    state: place.flags.state,
    daemon_runs: true,
    findings: expect.arrayContaining([
      expect.objectContaining({
        area: 'mounts',
        level: 'ok',
        what: 'the images mount is served',
        repairable: false,
      }),
    ]) as unknown,
  });
});

test('what no row owns is found and thrown away, by the daemon where one runs', async () => {
  const daemon = await place.start();
  await fill();
  const planted = await plant();
  await chmod(place.flags.state, 0o755);
  const found = await report();
  expect(problemsIn(found)).toEqual([...planted, 'others than root may enter: state'].sort());
  expect(
    found.findings.filter(({ level }) => level === 'problem').every(({ repairable }) => repairable),
  ).toBe(true);
  expect(await run('--repair')).toMatchObject({ exitCode: 0 });
  expect(await modeOf(place.flags.state)).toBe('700');
  // Without one the doctor does it.
  expect(await daemon.stop(20_000)).toBe(true);
  await plant();
  await mkdir(place.in('root', 'trash', 'old', 'tree'), { recursive: true });
  await writeFile(place.in('state', 'takeover.json.01234567'), '{');
  expect(problemsIn(await report())).toEqual(
    [
      ...planted,
      'an unfinished takeover state: state/takeover.json.01234567',
      'undeleted trash: root/trash/old',
    ].sort(),
  );
  const { exitCode, stdout } = await run('--repair');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/\nNothing left: 7 problems repaired\.\n$/);
  expect(await readdir(place.in('root', 'images'))).toHaveLength(2);
  expect(await readdir(place.in('root', 'snapshots'))).toHaveLength(1);
});

test('what is mounted is not removed, whatever the rows say', async () => {
  const daemon = await place.start();
  await fill();
  expect(await daemon.stop(20_000)).toBe(true);
  const upper = place.in('root', 'snapshots', '902', 'fs');
  await mkdir(upper, { recursive: true });
  using _bound = await mountSnapshot(
    [{ type: 'bind', source: upper, target: '', options: ['rw', 'rbind'] }],
    place.in('rootfs'),
  );
  const { findings, repairs } = await report('--repair');
  expect(findings.filter(({ level }) => level === 'problem')).toHaveLength(1);
  expect(repairs).toEqual([
    {
      what: "a snapshot's directory without a row",
      where: place.in('root', 'snapshots', '902'),
      outcome: 'left alone',
      reason: `mounted or used at ${place.in('rootfs')}`,
    },
  ]);
});

test('rows without files and damaged images are found, and cannot be repaired', async () => {
  const daemon = await place.start();
  await withClient(async (client) => {
    for (const name of ['short', 'gone', 'digests', 'noted']) await commitFiles(client, name, { file: name });
    await client.prepare('default/8/container', 'noted');
  });
  expect(await daemon.stop(20_000)).toBe(true);
  const images = place.in('root', 'images');
  const names = (await readdir(images)).sort((one, other) => parseInt(one) - parseInt(other));
  const [short, gone, digests, noted] = names.filter((name) => name.endsWith('.erofs'));
  await truncate(join(images, short!), 2048);
  await rm(join(images, gone!));
  await writeFile(join(images, digests!.replace('erofs', 'digests')), 'other digests');
  await rm(place.in('root', 'snapshots'), { recursive: true });
  const sqlite = new SqliteDatabase(place.in('root', 'metadata.db'));
  sqlite.prepare("UPDATE snapshots SET damage = 'a wrong block' WHERE id = ?").run(parseInt(noted!));
  sqlite.close();
  expect(problemsIn(await report('--repair'))).toEqual([
    expect.stringMatching(/^a snapshot's directory is missing: root\/snapshots\/\d+\/fs$/),
    `an image that cannot be used: root/images/${short!}`,
    `an image that cannot be used: root/images/${gone!}`,
    `an image was found damaged: root/images/${noted!}`,
    `digests that cannot be used: root/images/${digests!.replace('erofs', 'digests')}`,
  ]);
  expect((await run()).stdout).toMatch(/\n5 problems, none of which can be repaired from here\n$/);
});

test('a database of a later release, and one that is none, are told and nothing is compared or removed', async () => {
  const daemon = await place.start();
  expect(await daemon.stop(20_000)).toBe(true);
  await plant();
  const file = place.in('root', 'metadata.db');
  const sqlite = new SqliteDatabase(file);
  sqlite.pragma('user_version = 99');
  sqlite.close();
  expect(problemsIn(await report('--repair'))).toEqual([
    'the database is of a later release: root/metadata.db',
  ]);
  await writeFile(file, Buffer.alloc(10_000, 'no database'));
  expect(problemsIn(await report('--repair'))).toEqual(['the database cannot be read: root/metadata.db']);
  for (const name of ['', '-wal', '-shm']) await rm(`${file}${name}`, { force: true });
  expect(problemsIn(await report('--repair'))).toEqual(['the database is missing: root/metadata.db']);
  expect(await readdir(place.in('root', 'images'))).toHaveLength(4);
});

test('a killed daemon: the mounts wait for the next; with the holder gone too they are dead and unmounted', async () => {
  const daemon = await place.start();
  await fill();
  daemon.signal('SIGKILL');
  expect(await daemon.waitForExit(10_000)).toBe(true);
  const waiting = await run('--repair');
  expect(waiting.exitCode).toBe(1);
  expect(waiting.stdout).toContain('the images mount waits for a daemon');
  expect(waiting.stdout).toContain('start the daemon');
  expect(waiting.stdout).toMatch(/repaired +a socket on which nobody listens/);
  expect(await place.sockets()).toEqual([]);
  const next = await place.start();
  expect(await run()).toMatchObject({ exitCode: 0 });
  next.signal('SIGKILL');
  expect(await next.waitForExit(10_000)).toBe(true);
  const { holder } = (await readTakeoverState(place.flags.state))!;
  await endHolder(holder);
  const { findings, repairs } = await report('--repair');
  expect(repairs).toContainEqual({
    what: 'the images mount is dead',
    where: place.in('state', 'images'),
    outcome: 'repaired',
    reason: '',
  });
  expect(findings.filter(({ level }) => level === 'problem')).toEqual([]);
  expect(await place.mounts()).toEqual([]);
});

test('a dead mount below a container is left alone, and the container named', async () => {
  const daemon = await place.start();
  await fill();
  const container = await withClient(async (client) =>
    mountSnapshot(await client.mounts('default/8/container'), place.in('rootfs')),
  );
  try {
    daemon.signal('SIGKILL');
    expect(await daemon.waitForExit(10_000)).toBe(true);
    await endHolder((await readTakeoverState(place.flags.state))!.holder);
    const { findings } = await report('--repair');
    const dead = findings.find(({ what }) => what === 'the images mount is dead')!;
    expect(dead).toMatchObject({ repairable: false });
    expect(dead.remedy).toContain(container.path);
    expect((await place.mounts()).map(({ type }) => type).sort()).toEqual(['fuse.ishare', 'overlay']);
  } finally {
    container[Symbol.dispose]();
  }
});

test('an overlay whose snapshot is gone is unmounted once no process uses it', async () => {
  await place.start();
  await fill();
  const target = place.in('rootfs');
  await withClient(async (client) => mountSnapshot(await client.mounts('default/8/container'), target));
  await withClient((client) => client.remove('default/8/container'));
  const user = spawn('sleep', ['60'], { cwd: target, stdio: 'ignore' });
  try {
    expect((await report('--repair')).repairs).toMatchObject([
      {
        what: 'an overlay whose snapshot is gone',
        where: target,
        outcome: 'left alone',
        reason: `process ${user.pid} uses it`,
      },
    ]);
  } finally {
    user.kill('SIGKILL');
    await once(user, 'exit');
  }
  expect(await run('--repair')).toMatchObject({ exitCode: 0 });
  expect((await place.mounts()).filter(({ type }) => type === 'overlay')).toEqual([]);
});

test('a holder that no daemon will ask is ended, and its mount taken away', async () => {
  const stray = place.in('state', 'images');
  await mkdir(stray, { recursive: true });
  const images = FuseDevice.open();
  const ishare = FuseDevice.open();
  const mount = mountFuseDetached(ishare, { name: 'ishare' });
  mountFuse(images, stray, { name: 'ishare' });
  const holder = await startHolder({
    imagesDevice: images.number,
    ishareDevice: ishare.number,
    ishareMount: mount.number,
  });
  try {
    for (const held of [images, mount, ishare]) held[Symbol.dispose]();
    const { findings, repairs } = await report('--repair');
    expect(repairs).toContainEqual({
      what: 'a holder that no daemon will ask for its mounts',
      where: `process ${holder.pid}`,
      outcome: 'repaired',
      reason: '',
    });
    expect(findings.filter(({ level }) => level === 'problem')).toEqual([]);
    expect(await holderLives(holder)).toBe(false);
    expect(await place.mounts()).toEqual([]);
  } finally {
    await endHolder(holder);
    for (const { target } of await place.mounts()) unmount(target, UMOUNT.DETACH);
  }
});

test('where it cannot look the exit code is 2 and one line says why', async () => {
  await place.start();
  const { exitCode, stdout, stderr } = await run('--root', place.in('other'));
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toMatch(/^ishare: the daemon behind .* uses .*\n$/);
});
