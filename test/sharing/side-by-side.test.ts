import { readMountTable } from '../../linux/mount-table';
import { dropCaches } from '../../scripts/memory/page-cache';
import { ContainerHost, ownNamespace } from '../harness/container-host';
import { mappedFile } from '../harness/mapped-file';
import { makeProbeImages, type ProbeImage } from '../harness/probe-images';
import { holder, probe, probeAnswer, waitUntilHolding } from '../harness/probe-program';

const namespace = ownNamespace('side');
const left = { namespace, snapshotter: 'left' };
const right = { namespace, snapshotter: 'right' };

let host: ContainerHost;
let image: ProbeImage;

beforeAll(async () => {
  host = await ContainerHost.start({
    left: { domains: { default: 'same-name' } },
    right: { domains: { default: 'same-name' } },
  });
  [image] = await makeProbeImages(host.directory);
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

test('two daemons share nothing, and one goes on when the other stops', async () => {
  const [file] = image.shared;
  await host.import([image], left);
  await host.import([image], right);
  await using one = await host.run(image, left, holder('hold-mapped', [file.path]));
  await using two = await host.run(image, right, holder('hold-mapped', [file.path]));
  for (const { pid } of [one, two]) {
    await waitUntilHolding(pid);
    const size = file.content.length;
    expect(await mappedFile(pid, file.path)).toMatchObject({ rss: size, pss: size, sharedClean: 0 });
  }

  await one.remove();
  const { snapshotter } = host.daemon('left');
  expect(await snapshotter.stop()).toBe(true);
  expect(snapshotter.exitCode).toBe(0);
  const targets = (await readMountTable()).map(({ target }) => target);
  expect(targets.filter((target) => target.startsWith(snapshotter.state))).toEqual([]);
  expect(targets).toContainEqual(expect.stringContaining(host.daemon('right').snapshotter.state));

  await dropCaches();
  for (const { path, content } of [...image.shared, ...image.own]) {
    expect((await two.exec(...probe('read', path))).trim()).toBe(probeAnswer(content));
  }
  await using three = await host.run(image, right, holder('hold-mapped', [file.path]));
  await waitUntilHolding(three.pid);
  expect((await mappedFile(three.pid, file.path)).pss).toBe(file.content.length / 2);
});
