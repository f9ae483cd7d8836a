import { execFileSync } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ContainerHost, ownNamespace, topSnapshot, type Daemon, type Place } from '../harness/container-host';
import { logAbout } from '../harness/daemon-log';
import { eventually } from '../../linux/testing/eventually';
import { makeProbeImages, type ProbeImage } from '../harness/probe-images';

const place: Place = { namespace: ownNamespace('damaged'), snapshotter: 'ishare' };
const elsewhere: Place = { namespace: ownNamespace('repair'), snapshotter: 'ishare' };

let host: ContainerHost;
let daemon: Daemon;
let image: ProbeImage;

beforeEach(async () => {
  host = await ContainerHost.start({ ishare: { domains: { default: 'one' }, verify_on_read: true } });
  daemon = host.daemon('ishare');
  [image] = await makeProbeImages(host.directory);
  await host.import([image], place);
});

afterEach(async () => {
  await host[Symbol.asyncDispose]();
});

/** Noise in the place of the image's content, on disk. */
async function damage(): Promise<void> {
  const file = await host.imageFile(topSnapshot(image), place.snapshotter);
  const blocks = Math.floor((await stat(file)).size / 4096);
  execFileSync('dd', [
    ...['if=/dev/urandom', `of=${file}`, 'bs=4096', 'seek=8', `count=${Math.floor(blocks / 2)}`],
    ...['conv=notrunc,fsync', 'status=none'],
  ]);
}

/** Of the image's top layer, as `images ls` shows it. */
async function stateOf(namespace: string): Promise<string> {
  const name = topSnapshot(image);
  const images = await daemon.ishare.images();
  return images.find((found) => found.name.startsWith(`${namespace}/`) && found.name.endsWith(`/${name}`))!
    .state;
}

async function readOwn(path: string): Promise<Buffer> {
  return await readFile(join(path, image.own[0].path));
}

async function expectDamageSeen(): Promise<void> {
  await using tree = await host.mountTree(image, place);
  await expect(readOwn(tree.path)).rejects.toThrow(/EIO|EUCLEAN|structure needs cleaning|unknown error/i);
  await eventually('the image is marked', async () => (await stateOf(place.namespace)) === 'damaged');
}

test('a damaged image is reported by the first read, and whole after it was removed and imported again', async () => {
  await damage();
  await expectDamageSeen();
  expect(await logAbout(daemon.snapshotter.logFile, topSnapshot(image))).toContainEqual(
    expect.objectContaining({
      level: 'error',
      message: expect.stringContaining('an image is damaged') as string,
    }),
  );
  await host.containerd.removeImage(image.reference, place);
  await host.import([image], place);
  expect(await stateOf(place.namespace)).not.toBe('damaged');
  await using tree = await host.mountTree(image, place);
  expect((await readOwn(tree.path)).equals(image.own[0].content)).toBe(true);
});

test('what is in use cannot be fetched again, and is repaired by importing it into another namespace', async () => {
  await damage();
  await using user = await host.mountTree(image, place);
  await expectDamageSeen();
  // containerd knows the layer by name and asks nobody.
  await host.import([image], place);
  expect(await stateOf(place.namespace)).toBe('damaged');
  await host.import([image], elsewhere);
  expect(await stateOf(place.namespace)).not.toBe('damaged');
  expect((await readOwn(user.path)).equals(image.own[0].content)).toBe(true);
  await using later = await host.mountTree(image, place);
  expect((await readOwn(later.path)).equals(image.own[0].content)).toBe(true);
});
