import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { residentPages } from '../../linux/page-cache';
import type { Explanation, InodeDetails, InodeState, OverviewResponse } from '../../proto/admin-messages';
import { walkFiles } from '../../scripts/memory/file-tree';
import {
  chainIds,
  ContainerHost,
  ownNamespace,
  type Container,
  type Daemon,
} from '../harness/container-host';
import type { DataFile } from '../harness/images';
import { mappedFile } from '../harness/mapped-file';
import { makeProbeImages, type ProbeImage } from '../harness/probe-images';
import { holder, waitUntilHolding, type Hold } from '../harness/probe-program';

const PAGE = 4096;
const DOMAIN = 'accounts';
const place = { namespace: ownNamespace('accounts'), snapshotter: 'ishare' };

let host: ContainerHost;
let daemon: Daemon;
let images: readonly [ProbeImage, ProbeImage];
/** Maps every shared file and one of its own. */
let mapping: Container;

beforeAll(async () => {
  host = await ContainerHost.start({ ishare: { domains: { default: DOMAIN } } });
  daemon = host.daemon('ishare');
  images = await makeProbeImages(host.directory);
  await host.import(images, place);
  mapping = await hold(images[0], 'hold-mapped', [...images[0].shared, images[0].own[0]]);
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

async function hold(image: ProbeImage, how: Hold, files: readonly DataFile[]): Promise<Container> {
  const paths = files.map(({ path }) => path);
  const container = await host.run(image, place, holder(how, paths));
  await waitUntilHolding(container.pid);
  return container;
}

async function inodeOf({ content }: DataFile): Promise<InodeState> {
  const fingerprint = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  const found = (await daemon.ishare.inodes(DOMAIN)).filter((inode) => inode.fingerprint === fingerprint);
  expect(found).toHaveLength(1);
  return found[0]!;
}

function pagesOf({ content }: DataFile): number {
  return Math.ceil(content.length / PAGE);
}

test('cached bytes of an inode are what the kernel has in memory', async () => {
  for (const file of images[0].shared) {
    const { cached_bytes, size, domain } = await inodeOf(file);
    await using opened = await open(`/proc/${mapping.pid}/root${file.path}`, 'r');
    expect(cached_bytes).toBe(residentPages(opened.fd, size) * PAGE);
    expect({ domain, size, cached_bytes }).toEqual({
      domain: DOMAIN,
      size: file.content.length,
      cached_bytes: pagesOf(file) * PAGE,
    });
  }
});

test('an inode counts the attached images that hold its content, and saves what the further ones would cache', async () => {
  expect(await inodeOf(images[0].shared[0])).toMatchObject({ images: 1, saved_bytes: 0 });
  await using second = await hold(images[1], 'hold-mapped', images[1].shared);
  for (const file of images[0].shared) {
    expect(await inodeOf(file)).toMatchObject({ images: 2, saved_bytes: pagesOf(file) * PAGE });
  }
  expect(await inodeOf(images[0].own[0])).toMatchObject({ images: 1, saved_bytes: 0 });
  await second.remove();
  await eventually(async () =>
    expect(await inodeOf(images[0].shared[0])).toMatchObject({ images: 1, saved_bytes: 0 }),
  );
});

test('open files are counted until they are closed, though they stay mapped', async () => {
  const [file] = images[0].shared;
  const [copy] = images[1].shared;
  const before = (await daemon.ishare.status()).open_files;
  expect((await inodeOf(file)).open_files).toBe(1);
  await using closed = await hold(images[1], 'hold-mapped-closed', [copy]);
  expect((await inodeOf(file)).open_files).toBe(1);
  expect((await stat(`/proc/${closed.pid}/root${copy.path}`)).size).toBe(copy.content.length);
  await using opened = await hold(images[1], 'hold-open', [copy]);
  expect((await inodeOf(file)).open_files).toBe(2);
  expect((await daemon.ishare.status()).open_files).toBeGreaterThan(before);
  await opened.remove();
  await closed.remove();
  expect(await inodeOf(file)).toMatchObject({ open_files: 1 });
});

test('domains, images and status agree with the inodes', async () => {
  await using _second = await hold(images[1], 'hold-mapped', images[1].shared);
  const inodes = await daemon.ishare.inodes(DOMAIN);
  const [domain, ...others] = await daemon.ishare.domains();
  expect(others).toEqual([]);
  expect(domain).toMatchObject({ name: DOMAIN, images: 4, dedup_inodes: inodes.length });
  // Pages may come and go between two questions, but not those that are mapped.
  const mapped = [...images[0].shared, images[0].own[0]].reduce((sum, file) => sum + pagesOf(file) * PAGE, 0);
  expect(domain!.cached_bytes).toBeGreaterThanOrEqual(mapped);
  const status = await daemon.ishare.status();
  expect(status).toMatchObject({ attached_images: 4, images: 4, dedup_inodes: inodes.length, snapshots: 6 });
  expect(status.cached_bytes).toBeGreaterThanOrEqual(mapped);
  expect(status.saved_bytes).toBeGreaterThanOrEqual(mapped - pagesOf(images[0].own[0]) * PAGE);

  const listed = await daemon.ishare.images();
  expect(listed.map(({ name }) => name.slice(name.lastIndexOf('/') + 1)).sort()).toEqual(
    images.flatMap(chainIds).sort(),
  );
  for (const image of listed) {
    expect(image.attached_in).toEqual([DOMAIN]);
    expect(image.size).toBe((await stat(image.path)).blocks * 512);
  }
  // Both layers of an image show all its files, and every file that is not empty is shared.
  await using tree = await host.mountTree(images[0], place, 'view');
  let files = 0;
  for await (const { size } of walkFiles(tree.path)) if (size > 0) files += 1;
  const own = listed.filter(({ name }) => chainIds(images[0]).some((chain) => name.endsWith(chain)));
  expect(own.reduce((sum, { shared_files }) => sum + shared_files, 0)).toBe(files);
});

test('what images and containers save adds up to what smaps says that mappings share', async () => {
  await using second = await hold(images[1], 'hold-mapped', images[1].shared);
  const {
    status,
    domains,
    images: listed,
    containers,
    inodes,
  } = await daemon.ishare.json<OverviewResponse>('top', ...['--by', 'inodes']);
  for (const list of [domains, listed, containers, inodes]) {
    const sum = list.reduce((total, { saved_bytes }) => total + saved_bytes, 0);
    // Parts are rounded to whole bytes.
    expect(Math.abs(sum - status.saved_bytes)).toBeLessThanOrEqual(list.length);
  }
  expect(containers).toHaveLength(2);
  for (const [index, file] of images[0].shared.entries()) {
    const one = await mappedFile(mapping.pid, file.path);
    const other = await mappedFile(second.pid, images[1].shared[index]!.path);
    const { cached_bytes, saved_bytes } = await inodeOf(file);
    // Rss counts a page for each who maps it, Pss its share: the difference is what sharing saves.
    expect(saved_bytes).toBe(one.rss + other.rss - (one.pss + other.pss));
    expect(cached_bytes).toBe(one.pss + other.pss);
  }
});

test('cache drop leaves what is mapped, and says so', async () => {
  const [file] = images[0].shared;
  const { fingerprint } = await inodeOf(file);
  const bytes = pagesOf(file) * PAGE;
  expect(await daemon.ishare.json('cache', 'drop', '--inode', fingerprint)).toEqual({
    inodes: 1,
    dropped_bytes: 0,
    kept_bytes: bytes,
  });
  expect(await inodeOf(file)).toMatchObject({ cached_bytes: bytes });
});

test('inodes show tells who holds a content and who has opened it', async () => {
  const { fingerprint } = await inodeOf(images[0].shared[0]);
  await using second = await hold(images[1], 'hold-mapped', [images[1].shared[0]]);
  const [details, ...others] = await daemon.ishare.json<InodeDetails[]>('inodes', 'show', fingerprint);
  expect(others).toEqual([]);
  expect(details?.inode).toMatchObject({ fingerprint, images: 2, saved_bytes: details!.inode.cached_bytes });
  const holders = details!.holders.map(({ image, opened }) => [
    image.slice(image.lastIndexOf('/') + 1),
    opened,
  ]);
  expect(holders.sort()).toEqual(images.map((image) => [chainIds(image).at(-1), 1]).sort());
  const text = await daemon.ishare.text('inodes', 'show', fingerprint.slice('sha256:'.length, 19));
  expect(text).toContain(`${fingerprint}\n`);
  expect(text.match(/: opened since its pages came in$/gm)).toHaveLength(2);
  await second.remove();
});

test('explain finds a container by the name that ctr shows, and tells why its files are shared or not', async () => {
  const explain = (path: string): Promise<Explanation> => daemon.ishare.json('explain', mapping.id, path);
  const [shared] = images[0].shared;
  const { domain, layers, file, verdict, rule } = await explain(shared.path);
  expect({ domain, rule }).toEqual({ domain: DOMAIN, rule: 'domains.default' });
  expect(layers.map(({ image }) => image.slice(image.lastIndexOf('/') + 1))).toEqual(
    chainIds(images[0]).reverse(),
  );
  expect(verdict).toMatch(/^Shared: /);
  expect(file?.served).toMatchObject([
    { inode: { inode: { fingerprint: (await inodeOf(shared)).fingerprint } } },
  ]);
  expect(await mapping.exec('/bin/sh', '-c', 'echo new >/tmp/new')).toBe('');
  expect((await explain('/tmp/new')).verdict).toMatch(/^Not shared: it was made or changed in the container/);
});

test('an image that is removed is listed no more, and its references go', async () => {
  await host.containerd.removeImage(images[1].reference, place);
  await eventually(async () => {
    expect(await daemon.ishare.images()).toHaveLength(2);
    expect(await inodeOf(images[0].shared[0])).toMatchObject({ images: 1 });
    expect(await daemon.ishare.domains()).toMatchObject([{ images: 2 }]);
  });
});

/** containerd removes snapshots after it has answered, and layers stay attached for some seconds. */
async function eventually(check: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(200);
    }
  }
}
