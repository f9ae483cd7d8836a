import { fileMappings, readSmaps, type Mapping, type MappingMemory } from '../../scripts/memory/smaps';
import { ContainerHost, ownNamespace, type Container, type Place } from '../harness/container-host';
import { librariesOf } from '../harness/host-programs';
import { Ownership } from '../harness/ownership';
import { makeProbeImages, type ProbeImage } from '../harness/probe-images';
import { codeHolder, PERL, waitUntilHolding } from '../harness/probe-program';

const one = ownNamespace('library-one');
const two = ownNamespace('library-two');
const apart = ownNamespace('library-apart');

let host: ContainerHost;
let images: readonly [ProbeImage, ProbeImage];
/** The probe's program and the libraries that it loads. */
let programs: readonly string[];

beforeAll(async () => {
  const domains = { namespaces: { [one]: 'one', [two]: 'two' } };
  host = await ContainerHost.start({ on: { domains }, off: { domains, fuse: { passthrough: false } } });
  images = await makeProbeImages(host.directory);
  programs = [PERL, ...(await librariesOf(PERL))].sort();
  expect(programs.join()).toContain('/libc.so');
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

const inOne: Place = { namespace: one, snapshotter: 'on' };
const inTwo: Place = { namespace: two, snapshotter: 'on' };
const inNone: Place = { namespace: apart, snapshotter: 'on' };
const withoutPassthrough: Place = { namespace: one, snapshotter: 'off' };

describe('a library that two containers map', () => {
  test('is in memory once for different images of one domain', async () => {
    expectShared(await codeOf([images[0], inOne], [images[1], inOne]));
  });

  test.each([
    ['of two domains', inOne, inTwo],
    ['of no domain', inNone, inNone],
    ['without passthrough', withoutPassthrough, withoutPassthrough],
  ])('is in memory twice for different images %s', async (_, placeA, placeB) => {
    for (const memory of await codeOf([images[0], placeA], [images[1], placeB])) {
      expect(memory.sharedClean).toBe(0);
      expect(memory.pss).toBe(memory.rss);
    }
  });

  test('is in memory once for one image, domain or not', async () => {
    expectShared(await codeOf([images[0], inNone], [images[0], inNone]));
  });
});

function expectShared(memories: readonly MappingMemory[]): void {
  for (const { sharedClean, pss, rss } of memories) {
    expect(sharedClean).toBeGreaterThan(0);
    expect(pss / rss).toBeGreaterThan(0.45);
    expect(pss / rss).toBeLessThan(0.55);
  }
}

type Subject = readonly [image: ProbeImage, place: Place];

/** What the code that the loader has mapped takes in a container of each, while both run, program by program. */
async function codeOf(...subjects: readonly [Subject, Subject]): Promise<Mapping[]> {
  await using ownership = new Ownership();
  const containers: Container[] = [];
  for (const [image, place] of subjects) {
    await host.import([image], place);
    containers.push(ownership.own(await host.run(image, place, codeHolder())));
  }
  for (const { pid } of containers) await waitUntilHolding(pid);
  const found = await Promise.all(containers.map(executableMappings));
  return found.flat();
}

/** The executable mappings of files. Their paths must be the container's own. */
async function executableMappings({ pid }: Container): Promise<Mapping[]> {
  const code = fileMappings(await readSmaps(pid)).filter(({ permissions }) => permissions === 'r-xp');
  expect(code.map(({ path }) => path).sort()).toEqual(programs);
  return code;
}
