import { randomFillSync } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../../linux/testing/eventually';
import { ContainerHost, ownNamespace, type Daemon } from '../harness/container-host';
import { makeCrowd } from '../harness/crowd-images';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { LONG } from '../../linux/testing/long-trials';

const CONTAINERS = LONG ? 100 : 20;
const IMAGES = LONG ? 10 : 5;
const LAYER_MIB = LONG ? 1024 : 100;
/** So that the small layer is not committed before the first container starts. */
const LEVEL = LONG ? 3 : 19;
/** All of them start on the same processors at once. */
const RUN_LIMIT_MS = 240_000;

const place = { namespace: ownNamespace('crowd'), snapshotter: 'ishare' };

let host: ContainerHost;
let daemon: Daemon;

beforeAll(async () => {
  host = await ContainerHost.start({
    ishare: { domains: { default: 'one' }, build: { encoder: 'zstd', level: LEVEL } },
  });
  daemon = host.daemon('ishare');
}, 60_000);

afterAll(async () => {
  await host[Symbol.asyncDispose]();
}, 120_000);

/** Begins to commit a large layer. Resolves once its image is being made; `done` when it is committed. */
async function commitLargeLayer(client: SnapshotsConnection): Promise<{ readonly done: Promise<void> }> {
  const key = `${place.namespace}/1/large`;
  const [mount] = await client.prepare(key);
  await writeNoise(join(mount!.source, 'large'), LAYER_MIB);
  const done = client.commit(`${place.namespace}/2/large`, key);
  await eventually('its image is being made', async () =>
    (await daemon.ishare.status()).builds.some(({ running }) => running),
  );
  return { done };
}

async function writeNoise(path: string, mib: number): Promise<void> {
  await using file = await open(path, 'w');
  const piece = randomFillSync(Buffer.alloc(2 ** 20));
  for (let written = 0; written < mib; written += 1) {
    piece.writeUInt32LE(written, 0);
    await file.write(piece);
  }
}

test(
  `${CONTAINERS} containers from ${IMAGES} images start at once while a layer of ${LAYER_MIB} MiB is committed`,
  async () => {
    const images = await makeCrowd(host.directory, IMAGES);
    await host.import(images, place);
    using client = new SnapshotsConnection(daemon.snapshotter.socket);
    const { done } = await commitLargeLayer(client);
    const began = performance.now();
    const containers = await Promise.all(
      Array.from({ length: CONTAINERS }, (_, index) =>
        host.run(images[index % IMAGES]!, place, [], { timeLimit: RUN_LIMIT_MS }),
      ),
    );
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    process.stderr.write(`${CONTAINERS} containers are there after ${seconds} s\n`);
    for (const [index, { pid }] of containers.entries()) {
      const { shared, own } = images[index % IMAGES]!;
      for (const { path, content } of [shared, own])
        expect((await readFile(`/proc/${pid}/root${path}`)).equals(content)).toBe(true);
    }
    await done;
    const status = await daemon.ishare.status();
    expect(status.builds).toEqual([]);
    expect([status.slow_requests, status.slow_calls]).toEqual([0, 0]);
    // Each layer is attached once, however many containers there are.
    expect(status.attached_images).toBe(2 * IMAGES);
    await Promise.all(containers.map((container) => container.remove()));
    await host.expectHealthy('ishare');
  },
  LONG ? 600_000 : 120_000,
);
