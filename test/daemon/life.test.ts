import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BackgroundProcess } from '../../scripts/process/background-process';
import { runCommand } from '../../scripts/process/command';
import { unmount } from '../../linux/mount';
import { eventually } from '../../linux/testing/eventually';
import { mountSnapshot } from '../harness/mounting';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { DaemonPlace } from './daemon-place';
import { commitFiles } from './layers';
import { LONG } from '../../linux/testing/long-trials';

const SHARING = '[domains]\ndefault = "all"\n';

let place: DaemonPlace;

beforeEach(async () => {
  place = await DaemonPlace.create(SHARING);
});

afterEach(async () => {
  await place[Symbol.asyncDispose]();
});

async function expectCleanEnd(daemon: BackgroundProcess): Promise<void> {
  expect(await daemon.waitForExit(20_000)).toBe(true);
  expect(daemon.exitCode).toBe(0);
  expect(await place.mounts()).toEqual([]);
  expect(await place.sockets()).toEqual([]);
}

/** The daemon says so in its log, right after its socket has begun to answer. */
async function expectTakeover({ logFile }: BackgroundProcess): Promise<void> {
  await eventually('the mounts were taken over', async () =>
    (await readFile(logFile, 'utf8')).includes('"takenOver":true'),
  );
}

test.each([['SIGTERM'], ['SIGINT']] as const)(
  '%s ends it with exit code 0 and nothing mounted',
  async (signal) => {
    const daemon = await place.start();
    daemon.signal(signal);
    await expectCleanEnd(daemon);
  },
);

test('signals in quick succession end it once, with exit code 0', async () => {
  const daemon = await place.start();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGTERM', 'SIGTERM'] as const) {
    daemon.signal(signal);
    await sleep(5);
  }
  await expectCleanEnd(daemon);
});

/** Between the moments of the start at which signals come (ms). */
const STEP_MS = LONG ? 20 : 120;

test('a signal at any moment of the start ends it with nothing left', async () => {
  for (let delay = 0; delay <= 900; delay += STEP_MS) {
    const daemon = place.launch();
    await sleep(delay);
    daemon.signal('SIGTERM');
    expect(await daemon.waitForExit(20_000)).toBe(true);
    // Before it has done anything at all, the signal has its ordinary effect.
    const log = await readFile(daemon.logFile, 'utf8');
    if (daemon.exitCode !== 0) expect({ exitCode: daemon.exitCode, log }).toEqual({ log: '' });
    expect(await place.mounts()).toEqual([]);
    expect(await place.sockets()).toEqual([]);
  }
}, 120_000);

test('a layer that was used a moment ago does not keep the mount', async () => {
  const daemon = await place.start();
  using client = new SnapshotsConnection(place.flags.address);
  await commitFiles(client, 'layer', { file: 'content' });
  const mounts = await client.prepare('default/9/active', 'layer');
  {
    using mounted = await mountSnapshot(mounts, place.in('rootfs'));
    expect(await readFile(`${mounted.path}/file`, 'utf8')).toBe('content');
  }
  daemon.signal('SIGTERM');
  await expectCleanEnd(daemon);
});

test('a container that still runs does not keep the daemon, which leaves it the mounts', async () => {
  const daemon = await place.start();
  using client = new SnapshotsConnection(place.flags.address);
  await commitFiles(client, 'layer', { file: 'content' });
  using mounted = await mountSnapshot(await client.prepare('default/9/active', 'layer'), place.in('rootfs'));
  daemon.signal('SIGTERM');
  expect(await daemon.waitForExit(20_000)).toBe(true);
  expect(daemon.exitCode).toBe(0);
  expect(await readFile(daemon.logFile, 'utf8')).toContain(`"overlays":["${mounted.path}"]`);
  expect((await place.mounts()).map(({ target }) => target)).toEqual([
    place.in('state', 'images'),
    mounted.path,
  ]);
  // Read before, so the kernel has it; what it has not waits for the next daemon.
  const waiting = runCommand('cat', [`${mounted.path}/file`]);
  const next = await place.start();
  expect((await waiting).stdout).toBe('content');
  await expectTakeover(next);
});

test('what a start takes is given back once all images are attached and gone through', async () => {
  const first = await place.start();
  const images = 40;
  {
    using client = new SnapshotsConnection(place.flags.address);
    for (let image = 0; image < images; image += 1) {
      await commitFiles(client, `layer ${image}`, { file: `content of ${image}` });
      await client.prepare(`default/9/active ${image}`, `layer ${image}`);
    }
  }
  first.signal('SIGTERM');
  await expectCleanEnd(first);
  const daemon = await place.start();
  await eventually('it is given back', async () =>
    (await readFile(daemon.logFile, 'utf8')).includes('what the start took is given back'),
  );
  expect(await readFile(daemon.logFile, 'utf8')).toContain(`"images":${images}`);
  daemon.signal('SIGTERM');
  await expectCleanEnd(daemon);
});

test('after kill -9 the next one takes the mount over and serves what there was', async () => {
  const crashed = await place.start();
  {
    using client = new SnapshotsConnection(place.flags.address);
    await commitFiles(client, 'layer', { file: 'content' });
    await client.prepare('default/9/active', 'layer');
  }
  crashed.signal('SIGKILL');
  expect(await crashed.waitForExit(10_000)).toBe(true);
  expect((await place.mounts()).map(({ target }) => target)).toEqual([place.in('state', 'images')]);

  const daemon = await place.start();
  await expectTakeover(daemon);
  expect((await place.mounts()).map(({ target }) => target)).toEqual([place.in('state', 'images')]);
  {
    using client = new SnapshotsConnection(place.flags.address);
    using mounted = await mountSnapshot(await client.mounts('default/9/active'), place.in('rootfs'));
    expect(await readFile(`${mounted.path}/file`, 'utf8')).toBe('content');
  }
  daemon.signal('SIGTERM');
  await expectCleanEnd(daemon);
});

test('after kill -9 under a running container the next one starts all the same', async () => {
  const crashed = await place.start();
  {
    using client = new SnapshotsConnection(place.flags.address);
    await commitFiles(client, 'layer', { file: 'content' });
    const mounts = await client.prepare('default/9/active', 'layer');
    await mountSnapshot(mounts, place.in('rootfs'));
  }
  crashed.signal('SIGKILL');
  await crashed.waitForExit(10_000);
  const daemon = await place.start();
  using client = new SnapshotsConnection(place.flags.address);
  expect((await client.stat('default/9/active')).parent).toBe('layer');
  unmount(place.in('rootfs'));
  using mounted = await mountSnapshot(await client.mounts('default/9/active'), place.in('rootfs'));
  expect(await readFile(`${mounted.path}/file`, 'utf8')).toBe('content');
  expect(daemon.running).toBe(true);
});

test('several daemons side by side do not meet', async () => {
  const places = [place, await DaemonPlace.create(SHARING), await DaemonPlace.create(SHARING)];
  try {
    const daemons = await Promise.all(places.map((each) => each.start()));
    for (const [index, each] of places.entries()) {
      using client = new SnapshotsConnection(each.flags.address);
      await commitFiles(client, 'layer', { file: `content ${index}` });
      await client.prepare('default/9/active', 'layer');
    }
    daemons[0]?.signal('SIGTERM');
    await expectCleanEnd(daemons[0]!);
    daemons[1]?.signal('SIGKILL');
    await daemons[1]?.waitForExit(10_000);
    const { flags } = places[2]!;
    using client = new SnapshotsConnection(flags.address);
    expect(await client.list()).toHaveLength(2);
    using mounted = await mountSnapshot(await client.mounts('default/9/active'), places[2]!.in('rootfs'));
    expect(await readFile(`${mounted.path}/file`, 'utf8')).toBe('content 2');
  } finally {
    for (const each of places.slice(1)) await each[Symbol.asyncDispose]();
  }
});

test('an images mount that somebody took away does not keep it from ending', async () => {
  const daemon = await place.start();
  unmount(place.in('state', 'images'));
  daemon.signal('SIGTERM');
  expect(await daemon.waitForExit(20_000)).toBe(true);
  expect(await place.mounts()).toEqual([]);
  expect(await place.sockets()).toEqual([]);
});

test('a small thread pool in the environment is not obeyed: the daemon could not answer itself', async () => {
  await place.start({ environment: { UV_THREADPOOL_SIZE: '1' } });
  using client = new SnapshotsConnection(place.flags.address);
  const files = Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [`f${index}`, `content ${index}`]),
  );
  await commitFiles(client, 'layer', files);
  using mounted = await mountSnapshot(await client.prepare('default/9/active', 'layer'), place.in('rootfs'));
  const read = Object.keys(files).map((name) => readFile(`${mounted.path}/${name}`, 'utf8'));
  expect(await Promise.all(read)).toEqual(Object.values(files));
});

test('what an unfinished commit left behind is thrown away at the next start', async () => {
  await mkdir(place.in('root', 'images'), { recursive: true, mode: 0o700 });
  await mkdir(place.in('root', 'snapshots', '77', 'fs'), { recursive: true });
  await writeFile(place.in('root', 'images', '.77.erofs.tmp-abc'), 'half an image');
  await place.start();
  using client = new SnapshotsConnection(place.flags.address);
  await client.cleanup();
  await expect(readFile(place.in('root', 'images', '.77.erofs.tmp-abc'))).rejects.toThrow('ENOENT');
  await expect(readFile(place.in('root', 'snapshots', '77', 'fs'))).rejects.toThrow('ENOENT');
});
