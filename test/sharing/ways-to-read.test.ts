import { ContainerHost, ownNamespace, type Container, type Place } from '../harness/container-host';
import { makeProbeImages, type ProbeImage } from '../harness/probe-images';
import { holder, probe, probeAnswer, waitUntilHolding, WAYS, type Way } from '../harness/probe-program';

const namespace = ownNamespace('ways');
const DOMAINS = { default: 'one' };
let host: ContainerHost;
let images: readonly [ProbeImage, ProbeImage];

beforeAll(async () => {
  host = await ContainerHost.start({
    on: { domains: DOMAINS },
    off: { domains: DOMAINS, fuse: { passthrough: false } },
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
describe('with passthrough, a container takes the pages that another image’s container has read', () => {
  const place = { namespace, snapshotter: 'on' };
  let second: Container;

  beforeAll(async () => {
    await host.import(images, place);
    expect((await host.daemon('on').ishare.status()).passthrough).toBe(true);
    const [{ programs, shared, tool }, { programs: same }] = images;
    await runHolder(images[0], [...programs, tool.path, ...shared.map(({ path }) => path)], place);
    second = await runHolder(images[1], same, place);
  });

  async function readsOf(command: string[], answer: string): Promise<number> {
    const { ishare } = host.daemon('on');
    const before = await ishare.reads();
    expect((await second.exec(...command)).trim()).toBe(answer);
    return (await ishare.reads()) - before;
  }

  test.each(WAYS.map((way, index) => ({ way, index })))('by $way', async ({ way, index }) => {
    const { path, content } = images[1].shared[index]!;
    expect(await readsOf(probe(way, path), probeAnswer(content))).toBe(0);
  });

  test('by exec', async () => {
    expect(await readsOf([images[1].tool.path, 'true'], '')).toBe(0);
  });
});

/** Each READ comes to the images mount then; one of the ishare mount means that pages were not there. */
describe('without passthrough, two containers of different images', () => {
  const place = { namespace, snapshotter: 'off' };
  let containers: readonly [Container, Container];

  beforeAll(async () => {
    await host.import(images, place);
    expect((await host.daemon('off').ishare.status()).passthrough).toBe(false);
    containers = [
      await runHolder(images[0], images[0].programs, place),
      await runHolder(images[1], images[1].programs, place),
    ];
  });

  /** READs that the second container costs, once the first one has done the same with its own copy. */
  async function costInSecond(
    commandFor: (image: ProbeImage) => string[],
    answer: string,
  ): Promise<{ readonly images: number; readonly ishare: number }> {
    const [first, second] = containers;
    const { ishare } = host.daemon('off');
    expect((await first.exec(...commandFor(images[0]))).trim()).toBe(answer);
    const before = await ishare.readsByMount();
    expect((await second.exec(...commandFor(images[1]))).trim()).toBe(answer);
    const after = await ishare.readsByMount();
    return { images: after.images - before.images, ishare: after.ishare - before.ishare };
  }

  const maps = (way: Way): boolean => way.startsWith('mmap');

  test.each(WAYS.map((way, index) => ({ way, index })).filter(({ way }) => !maps(way)))(
    'share by $way',
    async ({ way, index }) => {
      const { content } = images[1].shared[index]!;
      const read = ({ shared }: ProbeImage) => probe(way, shared[index]!.path);
      expect((await costInSecond(read, probeAnswer(content))).ishare).toBe(0);
    },
  );

  test.each(WAYS.map((way, index) => ({ way, index })).filter(({ way }) => maps(way)))(
    'do not share by $way, and get the right bytes',
    async ({ way, index }) => {
      const { content } = images[1].shared[index]!;
      const read = ({ shared }: ProbeImage) => probe(way, shared[index]!.path);
      expect((await costInSecond(read, probeAnswer(content))).images).toBeGreaterThan(0);
    },
  );

  test('run programs', async () => {
    await costInSecond(({ tool }) => [tool.path, 'true'], '');
  });
});

async function runHolder(image: ProbeImage, paths: readonly string[], place: Place): Promise<Container> {
  const container = await host.run(image, place, holder('hold-mapped', paths));
  await waitUntilHolding(container.pid);
  return container;
}
