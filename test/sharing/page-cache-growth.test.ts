import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheStat } from '../../linux/page-cache';
import type { DomainState } from '../../proto/admin-messages';
import { contentTotals, type ContentTotals } from '../../scripts/memory/unique-content';
import { readAllFiles } from '../../scripts/memory/page-cache';
import { growthByReading, type FreshTrees } from '../harness/cached-growth';
import { ContainerHost, ownNamespace, type Place } from '../harness/container-host';
import type { IshareCommand } from '../harness/ishare-command';
import { Ownership } from '../harness/ownership';
import { makeProbeImages, type ProbeImage } from '../harness/probe-images';

const MIB = 1 << 20;
/** The figures of two measurements may differ by this part. */
const TOLERANCE = 0.03;

/** Some 80 MiB of content, of which some 60 are in both: large files, and enough small ones to make rounding count. */
const SIZES = {
  shared: [32 * MIB, ...Array.from({ length: 5 }, () => 4 * MIB), ...smallSizes(200)],
  own: [8 * MIB, ...smallSizes(100)],
};

const first = ownNamespace('growth-one');
const second = ownNamespace('growth-two');
const apart = ownNamespace('growth-apart');

const IN_ONE_DOMAIN: readonly [Place, Place] = [
  { namespace: first, snapshotter: 'on' },
  { namespace: first, snapshotter: 'on' },
];
const IN_TWO_DOMAINS: readonly [Place, Place] = [
  { namespace: first, snapshotter: 'on' },
  { namespace: second, snapshotter: 'on' },
];
const IN_NO_DOMAIN: readonly [Place, Place] = [
  { namespace: apart, snapshotter: 'on' },
  { namespace: apart, snapshotter: 'on' },
];
const WITHOUT_PASSTHROUGH: readonly [Place, Place] = [
  { namespace: first, snapshotter: 'off' },
  { namespace: first, snapshotter: 'off' },
];

/** On a busy machine a measurement takes many passes. */
jest.setTimeout(180_000);

interface Measurement {
  /** What `Cached` grew by. */
  readonly growth: number;
  /** What the files hold, each and each content once. */
  readonly content: ContentTotals;
  /** As `ishare domains ls` shows it right after reading. */
  readonly domains: readonly DomainState[];
  /** Pages that the page cache holds of the image files themselves. */
  readonly imagePages: number;
}

let host: ContainerHost;
let images: readonly [ProbeImage, ProbeImage];
const measurements = new Map<readonly [Place, Place], Promise<Measurement>>();

beforeAll(async () => {
  const domains = { namespaces: { [first]: 'one', [second]: 'two' } };
  host = await ContainerHost.start({ on: { domains }, off: { domains, fuse: { passthrough: false } } });
  images = await makeProbeImages(host.directory, SIZES);
}, 60_000);

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

describe('reading all files of two images', () => {
  test('of one domain fills the page cache with the unique bytes of the pair', async () => {
    const { growth, content } = await measurementOf(IN_ONE_DOMAIN);
    expect(content.uniqueBytes).toBeLessThan(0.7 * content.allBytes);
    expectWithin(growth, content.uniqueBytes);
  });

  test('of two domains fills it with the bytes of both', async () => {
    const { growth, content } = await measurementOf(IN_TWO_DOMAINS);
    expect(growth).toBeGreaterThan((1 - TOLERANCE) * content.allBytes);
  });

  test('of no domain fills it with the bytes of both', async () => {
    const { growth, content } = await measurementOf(IN_NO_DOMAIN);
    expectWithin(growth, content.allBytes);
  });

  test('of one domain without passthrough fills it with the unique bytes of the pair too', async () => {
    const { growth, content } = await measurementOf(WITHOUT_PASSTHROUGH);
    expectWithin(growth, content.uniqueBytes);
  });

  test('leaves no page of the image files cached beside them', async () => {
    expect((await measurementOf(IN_ONE_DOMAIN)).imagePages).toBe(0);
    expect((await measurementOf(IN_NO_DOMAIN)).imagePages).toBe(0);
  });

  test('is accounted for as the kernel counts it', async () => {
    const shared = await measurementOf(IN_ONE_DOMAIN);
    const apart = await measurementOf(IN_NO_DOMAIN);
    const domain = shared.domains.find(({ name }) => name === 'one')!;
    expectWithin(domain.cached_bytes, shared.growth);
    expectWithin(domain.saved_bytes, shared.content.allBytes - shared.content.uniqueBytes);
    // What one would take without sharing is what it takes with it and what that saves.
    expectWithin(shared.growth + domain.saved_bytes, apart.growth);
  });

  test('saves nothing in two domains, and the accounts say so', async () => {
    const { domains, content } = await measurementOf(IN_TWO_DOMAINS);
    expect(domains.map(({ name }) => name).sort()).toEqual(['one', 'two']);
    expect(domains.reduce((sum, { saved_bytes }) => sum + saved_bytes, 0)).toBeLessThan(
      0.01 * content.allBytes,
    );
    expectWithin(cachedIn(domains), content.allBytes);
  });
});

/** Measures once, whoever asks first. */
function measurementOf(places: readonly [Place, Place]): Promise<Measurement> {
  const known = measurements.get(places) ?? measure(places);
  measurements.set(places, known);
  return known;
}

async function measure(places: readonly [Place, Place]): Promise<Measurement> {
  await host.import([images[0]], places[0]);
  await host.import([images[1]], places[1]);
  const { snapshotter, ishare } = host.daemon(places[0].snapshotter);
  const growth = await growthByReading(() => freshTrees(places));
  await using trees = await freshTrees(places);
  // Reads all files too.
  const content = await contentTotals(trees.roots);
  return {
    growth,
    content,
    domains: await domainsAfterReading(ishare, trees.roots),
    imagePages: await cachedPagesIn(join(snapshotter.root, 'images')),
  };
}

/** What the accounts say when every file is in memory: other programs may drop the machine's caches just before. */
async function domainsAfterReading(ishare: IshareCommand, roots: readonly string[]): Promise<DomainState[]> {
  let fullest: DomainState[] = [];
  for (let attempt = 0; attempt < 3; attempt++) {
    for (const root of roots) await readAllFiles(root);
    const domains = await ishare.domains();
    if (attempt === 0 || cachedIn(domains) > cachedIn(fullest)) fullest = domains;
  }
  return fullest;
}

function cachedIn(domains: readonly DomainState[]): number {
  return domains.reduce((sum, { cached_bytes }) => sum + cached_bytes, 0);
}

/** The trees of both images, served by a daemon that has just started: the old one's pages went with its mounts. */
async function freshTrees(places: readonly [Place, Place]): Promise<FreshTrees> {
  await host.daemon(places[0].snapshotter).snapshotter.stop();
  await host.restart(places[0].snapshotter);
  const ownership = new Ownership();
  const roots: string[] = [];
  for (const [index, place] of places.entries()) {
    roots.push(ownership.own(await host.mountTree(images[index]!, place)).path);
  }
  return { roots, [Symbol.asyncDispose]: () => ownership[Symbol.asyncDispose]() };
}

async function cachedPagesIn(directory: string): Promise<number> {
  const names = await readdir(directory);
  expect(names.length).toBeGreaterThan(0);
  let pages = 0;
  for (const name of names) {
    await using file = await open(join(directory, name), 'r');
    pages += cacheStat(file.fd).cachedPages;
  }
  return pages;
}

function expectWithin(actual: number, expected: number): void {
  expect(actual).toBeGreaterThan((1 - TOLERANCE) * expected);
  expect(actual).toBeLessThan((1 + TOLERANCE) * expected);
}

/** Sizes from 1 byte to some pages, none like the one before. */
function smallSizes(count: number): number[] {
  return Array.from({ length: count }, (_, index) => 1 + ((index * 2017) % 20_000));
}
