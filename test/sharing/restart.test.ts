import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UMOUNT, unmount } from '../../linux/mount';
import { readMountTable } from '../../linux/mount-table';
import { ContainerHost, ownNamespace, type Daemon } from '../harness/container-host';
import { makeProbeImages, type ProbeImage } from '../harness/probe-images';
import { holder, probe, probeAnswer, waitUntilHolding } from '../harness/probe-program';
import { mappedFile } from '../harness/mapped-file';

const place = { namespace: ownNamespace('restart'), snapshotter: 'ishare' };

let host: ContainerHost;
let daemon: Daemon;
let images: readonly [ProbeImage, ProbeImage];

beforeAll(async () => {
  host = await ContainerHost.start({ ishare: { domains: { default: 'one' } } });
  daemon = host.daemon('ishare');
  images = await makeProbeImages(host.directory);
  await host.import(images, place);
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

/** Runs a container from each image at the same time; both must have the right bytes, and only once in memory. */
async function expectSharing(): Promise<void> {
  const [first, second] = images;
  await using a = await host.run(first, place, holder('hold-mapped', [first.shared[0].path]));
  await using b = await host.run(second, place, holder('hold-mapped', [second.shared[0].path]));
  await Promise.all([a, b].map(({ pid }) => waitUntilHolding(pid)));
  const size = first.shared[0].content.length;
  for (const [{ pid }, { path }] of [
    [a, first.shared[0]],
    [b, second.shared[0]],
  ] as const) {
    expect(await mappedFile(pid, path)).toMatchObject({ rss: size, pss: size / 2 });
  }
  for (const [container, image] of [
    [a, first],
    [b, second],
  ] as const) {
    for (const { path, content } of [...image.shared, ...image.own]) {
      expect((await container.exec(...probe('read', path))).trim()).toBe(probeAnswer(content));
    }
  }
}

/** Inode numbers of a whole tree, by path. */
async function inodeNumbers(image: ProbeImage): Promise<Record<string, bigint>> {
  await using tree = await host.mountTree(image, place, 'view');
  const paths = ['.', ...(await readdir(tree.path, { recursive: true }))];
  const entries = paths.map(async (path) => {
    const stats = await lstat(join(tree.path, path), { bigint: true });
    // overlayfs makes up the numbers of merged directories itself.
    return stats.isDirectory() ? [] : [[path, stats.ino] as const];
  });
  return Object.fromEntries((await Promise.all(entries)).flat());
}

async function mountsOfDaemon(): Promise<string[]> {
  const { state, root } = daemon.snapshotter;
  return (await readMountTable())
    .filter(({ target }) => target.startsWith(state) || target.startsWith(root))
    .map(({ target }) => target);
}

test('SIGTERM with nothing in use ends with code 0 and leaves no mount and no socket', async () => {
  await expectSharing();
  expect(await mountsOfDaemon()).not.toEqual([]);
  try {
    expect(await daemon.snapshotter.stop()).toBe(true);
    expect(daemon.snapshotter.exitCode).toBe(0);
    expect(await mountsOfDaemon()).toEqual([]);
    for (const socket of [daemon.snapshotter.socket, daemon.snapshotter.adminSocket]) {
      await expect(stat(socket)).rejects.toThrow('ENOENT');
    }
  } finally {
    if (!daemon.snapshotter.running) await host.restart('ishare');
  }
});

test('SIGTERM ends with code 0 also where somebody has unmounted the images by hand', async () => {
  // The container's overlay keeps the connection alive, so that the daemon does not end by itself before.
  await using _container = await host.run(images[0], place);
  unmount(join(daemon.snapshotter.state, 'images'), UMOUNT.DETACH);
  try {
    expect(await daemon.snapshotter.stop()).toBe(true);
    expect(daemon.snapshotter.exitCode).toBe(0);
  } finally {
    if (!daemon.snapshotter.running) await host.restart('ishare');
  }
});

test('images outlive a restart: containers run from them and share, and inode numbers stay', async () => {
  await expectSharing();
  const before = [await inodeNumbers(images[0]), await inodeNumbers(images[1])];
  expect(Object.keys(before[0]!).length).toBeGreaterThan(10);
  const names = (await daemon.ishare.images()).map(({ name }) => name);
  await daemon.snapshotter.stop();
  await host.restart('ishare');
  expect((await daemon.ishare.images()).map(({ name }) => name)).toEqual(names);
  // Attached in the other order than before.
  expect([await inodeNumbers(images[1]), await inodeNumbers(images[0])].reverse()).toEqual(before);
  await expectSharing();
});

test('images outlive a crash just the same', async () => {
  const before = await inodeNumbers(images[1]);
  await daemon.snapshotter.crash();
  await host.restart('ishare');
  expect(await inodeNumbers(images[1])).toEqual(before);
  await expectSharing();
});
