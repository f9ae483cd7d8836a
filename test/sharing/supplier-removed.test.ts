import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ContainerHost, ownNamespace, type Container } from '../harness/container-host';
import { Ownership } from '../harness/ownership';
import { makeProbeImages, type ProbeImage } from '../harness/probe-images';
import { holder, probe, probeAnswer, repeater, waitUntilHolding } from '../harness/probe-program';

const place = { namespace: ownNamespace('supplier'), snapshotter: 'ishare' };

let host: ContainerHost;
let images: readonly [ProbeImage, ProbeImage];

beforeAll(async () => {
  host = await ContainerHost.start({ ishare: { domains: { default: 'one' } } });
  images = await makeProbeImages(host.directory, { shared: [1 << 20, 4 << 20], own: [1 << 20] });
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

test.each([
  ['first', 0],
  ['second', 1],
] as const)(
  'a container reads right bytes while the image that came %s goes with its container',
  async (_, gone) => {
    await host.import(images, place);
    await using ownership = new Ownership();
    const containers: Container[] = [];
    for (const image of images) {
      const container = ownership.own(
        await host.run(image, place, holder('hold-mapped', [image.shared[0].path])),
      );
      await waitUntilHolding(container.pid);
      containers.push(container);
    }
    const leaving = { image: images[gone], container: containers[gone]! };
    const staying = { image: images[1 - gone]!, container: containers[1 - gone]! };

    const { path, content } = staying.image.shared[1]!;
    const { ishare } = host.daemon('ishare');
    const before = await ishare.reads();
    const repeating = staying.container.exec(...repeater(path, '/tmp/stop'));
    const dropping = new Dropping();
    try {
      await sleep(300);
      await leaving.container.remove();
      await host.containerd.removeImage(leaving.image.reference, place);
      await snapshotsGo(2);
      await sleep(300);
    } finally {
      await dropping.stop();
      await staying.container.exec('/bin/sh', '-c', ': > /tmp/stop');
    }
    expect(await ishare.reads()).toBeGreaterThan(before);
    const [times, ...answers] = (await repeating).trim().split('\n');
    expect(Number(times)).toBeGreaterThan(0);
    expect(answers).toEqual([probeAnswer(content)]);
    for (const file of [...staying.image.shared, ...staying.image.own]) {
      expect((await staying.container.exec(...probe('read', file.path))).trim()).toBe(
        probeAnswer(file.content),
      );
    }
  },
);

/** Drops clean pages that nobody maps, again and again, so that reading always comes to the daemon. */
class Dropping {
  #stopped = false;
  readonly #done = this.#run();

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await writeFile('/proc/sys/vm/drop_caches', '1');
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}

/** Waits until so many committed snapshots are left. */
async function snapshotsGo(left: number): Promise<void> {
  const { ishare } = host.daemon('ishare');
  const deadline = Date.now() + 20_000;
  while ((await ishare.images()).length > left) {
    if (Date.now() > deadline) throw new Error('the snapshots of a removed image stay');
    await sleep(200);
  }
}
