import { ContainerHost, ownNamespace, type Container, type Place } from '../harness/container-host';
import { makeProbeImages, type ProbeImage } from '../harness/probe-images';
import { holder, probe, probeAnswer, waitUntilHolding, WAYS } from '../harness/probe-program';

const namespace = ownNamespace('ways');
let host: ContainerHost;
let images: readonly [ProbeImage, ProbeImage];

beforeAll(async () => {
  host = await ContainerHost.start({
    on: { domains: { default: 'one' } },
    off: { domains: { default: 'one' }, fuse: { passthrough: false } },
  });
  images = await makeProbeImages(host.directory, { shared: WAYS.map(() => 2 << 20), own: [1] });
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

/**
 * The daemon is the only source of the bytes: who gets them without a READ request has got them from pages that were
 * in memory before. The first container maps all files, so that their pages stay there whatever the machine does.
 */
describe.each([
  { snapshotter: 'on', sharing: true, does: 'takes the pages that another image’s container has read' },
  { snapshotter: 'off', sharing: false, does: 'finds no pages of another image’s container' },
])('with passthrough $snapshotter, a container $does', ({ snapshotter, sharing }) => {
  const place = { namespace, snapshotter };
  let second: Container;

  beforeAll(async () => {
    await host.import(images, place);
    expect((await host.daemon(snapshotter).ishare.status()).passthrough).toBe(sharing);
    const [{ programs, shared, tool }, { programs: same }] = images;
    await runHolder(images[0], [...programs, tool.path, ...shared.map(({ path }) => path)], place);
    second = await runHolder(images[1], same, place);
  });

  async function readsOf(command: string[], answer: string): Promise<number> {
    const { ishare } = host.daemon(snapshotter);
    const before = await ishare.reads();
    expect((await second.exec(...command)).trim()).toBe(answer);
    return (await ishare.reads()) - before;
  }

  function expectCost(reads: number): void {
    if (sharing) expect(reads).toBe(0);
    else expect(reads).toBeGreaterThan(0);
  }

  test.each(WAYS.map((way, index) => ({ way, index })))('by $way', async ({ way, index }) => {
    const { path, content } = images[1].shared[index]!;
    expectCost(await readsOf(probe(way, path), probeAnswer(content)));
  });

  test('by exec', async () => {
    expectCost(await readsOf([images[1].tool.path, 'true'], ''));
  });
});

async function runHolder(image: ProbeImage, paths: readonly string[], place: Place): Promise<Container> {
  const container = await host.run(image, place, holder('hold-mapped', paths));
  await waitUntilHolding(container.pid);
  return container;
}
