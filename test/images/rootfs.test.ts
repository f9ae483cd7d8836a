import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { WrittenImage } from '../../scripts/oci/oci-archive';
import { ContainerHost, ownNamespace } from '../harness/container-host';
import { makeDemandingImage } from '../harness/demanding-image';
import { mergedLayers } from '../harness/layer-merge';
import { makeReplacingImage } from '../harness/replacing-image';
import { describeTree, type TreeEntry } from '../harness/tree-comparison';

const namespace = ownNamespace('rootfs');
const ours = { namespace, snapshotter: 'ishare' };
const judge = { namespace, snapshotter: 'overlayfs' };

let host: ContainerHost;

beforeAll(async () => {
  host = await ContainerHost.start({ ishare: { domains: { namespaces: { [namespace]: 'one' } } } });
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

describe.each([
  ['with everything that layers can hold', makeDemandingImage],
  ['whose layers replace each other’s entries', makeReplacingImage],
])('the rootfs of an image %s', (_, makeImage) => {
  let image: WrittenImage;
  /** By path, as latin1. */
  let expected: Map<string, TreeEntry>;
  let rootfs: Map<string, TreeEntry>;

  beforeAll(async () => {
    const directory = join(host.directory, makeImage.name);
    await mkdir(directory);
    image = await makeImage(directory);
    expected = asContainerdUnpacks(await mergedLayers(image, directory));
    await host.import([image], ours);
    await using tree = await host.mountTree(image, ours);
    rootfs = withoutRoot(await describeTree(tree.path));
  });

  test('equals its layers’ tars, entry by entry', () => {
    expectSameTree(rootfs, expected);
  });

  test('equals what containerd’s overlayfs snapshotter makes of it', async () => {
    await host.import([image], judge);
    await using tree = await host.mountTree(image, judge);
    expectSameTree(rootfs, withoutRoot(await describeTree(tree.path)));
  });

  test('is the same for a view', async () => {
    await using tree = await host.mountTree(image, ours, 'view');
    expectSameTree(withoutRoot(await describeTree(tree.path)), expected);
  });

  test('is the same in no domain', async () => {
    const apart = { ...ours, namespace: ownNamespace('rootfs-apart') };
    await host.import([image], apart);
    await using tree = await host.mountTree(image, apart);
    expectSameTree(withoutRoot(await describeTree(tree.path)), expected);
    expect(
      (await host.daemon('ishare').ishare.images()).map(({ attached_in }) => attached_in),
    ).toContainEqual(['']);
  });

  test('is the same under a running container', async () => {
    await using container = await host.run(image, ours);
    const found = withoutRoot(await describeTree(container.rootfs));
    // runc makes the directories that it mounts on.
    for (const path of ['run']) if (!expected.has(path)) found.delete(path);
    expectSameTree(found, expected);
  });
});

/** The root directory is no entry of any layer to containerd: a snapshot's has the time when it was made. */
function withoutRoot(tree: ReadonlyMap<string, TreeEntry>): Map<string, TreeEntry> {
  return new Map([...tree].filter(([path]) => path !== '.'));
}

/**
 * What containerd leaves out while it unpacks, for every snapshotter: xattrs that only root may see, and times before
 * 1970 (archive/tar.go and archive/time.go of containerd 1.6 to 2.1).
 */
function asContainerdUnpacks(tree: ReadonlyMap<string, TreeEntry>): Map<string, TreeEntry> {
  return new Map(
    [...withoutRoot(tree)].map(([path, { xattrs, ...entry }]) => {
      const modified = entry.modified.startsWith('-') ? '0' : entry.modified;
      const kept = Object.entries(xattrs ?? {}).filter(([name]) => !name.startsWith('trusted.'));
      return [
        path,
        { ...entry, modified, ...(kept.length === 0 ? {} : { xattrs: Object.fromEntries(kept) }) },
      ];
    }),
  );
}

/** Compares paths first, then entry by entry, so that a failure shows what differs and not two whole trees. */
function expectSameTree(actual: Map<string, TreeEntry>, expected: Map<string, TreeEntry>): void {
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  const different = [...expected].filter(([path, entry]) => !isDeepStrictEqual(actual.get(path), entry));
  expect(different.map(([path]) => [path, actual.get(path)])).toEqual(different);
}
