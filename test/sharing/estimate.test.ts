import { existsSync } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NO_DOMAIN_TOKEN } from '../../ishare/top-directories';
import { cacheStat } from '../../linux/page-cache';
import { walkFiles } from '../../scripts/memory/file-tree';
import { readAllFiles } from '../../scripts/memory/page-cache';
import type { WrittenImage } from '../../scripts/oci/oci-archive';
import { growthByReading } from '../harness/cached-growth';
import { ContainerHost, ownNamespace, type Daemon, type Place } from '../harness/container-host';
import { printedEstimate, type PrintedEstimate } from '../harness/estimate-command';
import { freshTreesOf } from '../harness/fresh-trees';
import { makeLayeredNeighbours } from '../harness/layered-neighbours';
import { Ownership } from '../harness/ownership';
import { LONG } from '../../linux/testing/long-trials';

/** How far an estimate may be from what is measured. */
const TOLERANCE = 0.02;
const PAGE = 4096;
/** How long a moment is waited for in which nobody drops the machine's caches (ms). */
const DISTURBED_LIMIT = 90_000;

const IN_ONE_DOMAIN: Place = { namespace: ownNamespace('estimate-one'), snapshotter: 'ishare' };
const IN_NO_DOMAIN: Place = { namespace: ownNamespace('estimate-none'), snapshotter: 'ishare' };

/** Everybody's pages count there, so that it wants a quiet machine and takes many passes on a busy one. */
const growthTest = LONG ? test : test.skip;
const GROWTH_LIMIT = 280_000;

jest.setTimeout(DISTURBED_LIMIT + 60_000);

let host: ContainerHost;
let daemon: Daemon;
let images: readonly [WrittenImage, WrittenImage];
let estimate: PrintedEstimate;

beforeAll(async () => {
  const domains = { namespaces: { [IN_ONE_DOMAIN.namespace]: 'one' } };
  host = await ContainerHost.start({ ishare: { domains } });
  daemon = host.daemon('ishare');
  images = await makeLayeredNeighbours(host.directory);
  // Before containerd has seen any of them.
  estimate = await printedEstimate(...images.map(({ archive }) => archive));
  for (const place of [IN_ONE_DOMAIN, IN_NO_DOMAIN]) await host.import(images, place);
}, 60_000);

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

test('the images have a layer in common, much to share, and many files that fill no page', () => {
  expect(estimate.common_layers).toBe(1);
  expect(estimate.page_cache_saved).toBeGreaterThan(0.2 * estimate.page_cache_alone);
  expect(estimate.files).toBeGreaterThan(1500);
});

describe('once every file of both was read, the page cache holds what was estimated', () => {
  test('in one domain, and the accounts say that the estimated rest is saved', async () => {
    const [domain] = await afterReading(IN_ONE_DOMAIN, () => daemon.ishare.domains());
    expectWithin(domain!.cached_bytes, estimate.page_cache_shared);
    expectWithin(domain!.saved_bytes, estimate.page_cache_saved);
  });

  test('without a domain', async () => {
    // What the trees before have used elsewhere may still be going.
    const directory = join(daemon.snapshotter.state, 'images', NO_DOMAIN_TOKEN);
    const cached = await afterReading(
      IN_NO_DOMAIN,
      async () => (await cachedBelow(directory)) + (await cachedUnshared(daemon.snapshotter.pid)),
    );
    expectWithin(cached, estimate.page_cache_alone);
  });

  growthTest(
    'as the machine counts it, too',
    async () => {
      const shared = await growthByReading(() => freshTreesOf(host, images, IN_ONE_DOMAIN));
      const alone = await growthByReading(() => freshTreesOf(host, images, IN_NO_DOMAIN));
      expectWithin(shared, estimate.page_cache_shared);
      expectWithin(alone, estimate.page_cache_alone);
      expectWithin(alone - shared, estimate.page_cache_saved);
    },
    GROWTH_LIMIT,
  );
});

test('what containerd exports is estimated like what it has imported', async () => {
  const exported = images.map((_, index) => join(host.directory, `exported-${index}.tar`));
  for (const [index, { reference }] of images.entries()) {
    await host.containerd.ctr(['images', 'export', exported[index]!, reference], IN_NO_DOMAIN);
  }
  expect(await printedEstimate(...exported)).toEqual({
    ...estimate,
    images: estimate.images.map((image, index) => ({ ...image, image: exported[index] })),
  });
});

/** What is measured with both images mounted and every file of theirs read through overlayfs. */
async function afterReading<Measured>(place: Place, measure: () => Promise<Measured>): Promise<Measured> {
  await using trees = new Ownership();
  const roots: string[] = [];
  for (const image of images) roots.push(trees.own(await host.mountTree(image, place)).path);
  const deadline = Date.now() + DISTURBED_LIMIT;
  while (Date.now() < deadline) {
    const before = await cacheDrops();
    for (const root of roots) await readAllFiles(root);
    const measured = await measure();
    if ((await cacheDrops()) === before) return measured;
  }
  throw new Error('other programs dropped the caches of the machine each time');
}

/** How often somebody has written to /proc/sys/vm/drop_caches. */
async function cacheDrops(): Promise<string> {
  const counters = await readFile('/proc/vmstat', 'utf8');
  return counters
    .split('\n')
    .filter((line) => line.startsWith('drop_'))
    .join();
}

/** Bytes that the kernel has cached of the files below a directory. */
async function cachedBelow(directory: string): Promise<number> {
  let pages = 0;
  for await (const { path } of walkFiles(directory)) {
    await using file = await open(path, 'r');
    pages += cacheStat(file.fd).cachedPages;
  }
  return pages * PAGE;
}

/** The same of the files in the ishare mount that are in no domain. Only the daemon has that mount. */
async function cachedUnshared(pid: number): Promise<number> {
  let bytes = 0;
  for (const number of await readdir(`/proc/${pid}/fd`)) {
    const directory = `/proc/${pid}/fd/${number}/unshared`;
    if (existsSync(directory)) bytes += await cachedBelow(directory);
  }
  return bytes;
}

function expectWithin(measured: number, estimated: number): void {
  expect(measured).toBeGreaterThan((1 - TOLERANCE) * estimated);
  expect(measured).toBeLessThan((1 + TOLERANCE) * estimated);
}
