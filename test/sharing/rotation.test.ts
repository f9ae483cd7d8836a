import { open, readFile } from 'node:fs/promises';
import type { InodeState } from '../../proto/admin-messages';
import { ContainerHost, ownNamespace, type Container } from '../harness/container-host';
import { mappedFile } from '../harness/mapped-file';
import { makeProbeImages, type ProbeImage } from '../harness/probe-images';
import { holder, waitUntilHolding } from '../harness/probe-program';

const DOMAIN = 'turning';
const place = { namespace: ownNamespace('turning'), snapshotter: 'ishare' };

let host: ContainerHost;
let images: readonly [ProbeImage, ProbeImage];

beforeAll(async () => {
  host = await ContainerHost.start({ ishare: { domains: { default: DOMAIN } } });
  images = await makeProbeImages(host.directory);
  await host.import(images, place);
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

/** A container that maps the largest file that both images have, and has closed it. */
async function mapping(image: ProbeImage): Promise<Container> {
  const container = await host.run(image, place, holder('hold-mapped-closed', [image.shared[0].path]));
  await waitUntilHolding(container.pid);
  return container;
}

/** What a process sees at the place where it has mapped a file. */
async function mappedBytes(pid: number, path: string): Promise<Buffer> {
  const line = (await readFile(`/proc/${pid}/maps`, 'utf8')).split('\n').find((each) => each.endsWith(path));
  const [start = 0, end = 0] = line!
    .split(' ')[0]!
    .split('-')
    .map((address) => Number.parseInt(address, 16));
  const bytes = Buffer.alloc(end - start);
  await using memory = await open(`/proc/${pid}/mem`);
  await memory.read(bytes, 0, bytes.length, start);
  return bytes;
}

test('containers from before and after a rotation share no pages, and those from before go on reading', async () => {
  const { ishare } = host.daemon('ishare');
  const [image, neighbour] = images;
  const [{ path, content }] = image.shared;
  await using before = await mapping(image);
  await using beside = await mapping(neighbour);
  await using handle = await open(`/proc/${before.pid}/root${path}`);

  expect(await ishare.json('domains', 'rotate', DOMAIN, '--yes')).toEqual({ containers: 2 });
  await using after = await mapping(image);
  const memory = async ({ pid }: Container, file: string): Promise<number> => {
    const { pss, rss } = await mappedFile(pid, file);
    expect(rss).toBe(content.length);
    return pss / rss;
  };
  expect(await memory(before, path)).toBeCloseTo(0.5, 2);
  expect(await memory(beside, neighbour.shared[0].path)).toBeCloseTo(0.5, 2);
  expect(await memory(after, path)).toBeCloseTo(1, 2);

  // Two sets of pages of the same content, of which one is used twice.
  const inodes = (await ishare.json<InodeState[]>('inodes', 'ls', '--sort', 'size')).slice(0, 2);
  expect(inodes.map(({ size, saved_bytes }) => [size, saved_bytes])).toEqual([
    [content.length, content.length],
    [content.length, 0],
  ]);

  await ishare.json('cache', 'drop', '--all');
  const read = Buffer.alloc(content.length);
  expect((await handle.read(read, 0, read.length, 0)).bytesRead).toBe(content.length);
  expect(read.equals(content)).toBe(true);
  expect((await mappedBytes(before.pid, path)).subarray(0, content.length).equals(content)).toBe(true);
  expect((await readFile(`/proc/${before.pid}/root${image.own[0].path}`)).equals(image.own[0].content)).toBe(
    true,
  );
});
