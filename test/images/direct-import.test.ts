import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { eventually } from '../../linux/testing/eventually';
import { LONG } from '../../linux/testing/long-trials';
import { writeOciArchive, type WrittenImage } from '../../scripts/oci/oci-archive';
import { awkwardLayers } from '../harness/awkward-layers';
import { ContainerHost, ownNamespace } from '../harness/container-host';
import { containerd2 } from '../harness/containerd-2';
import { makeDemandingImage } from '../harness/demanding-image';
import { noise } from '../harness/noise';
import { describeTree, type TreeEntry } from '../harness/tree-comparison';

const binaryDirectory = containerd2();
const namespace = ownNamespace('direct');
const started = Date.now();

jest.setTimeout(LONG ? 600_000 : 120_000);

/**
 * A tree without what containerd's own differ leaves to chance, the times of directories that no entry is about and of the
 * root, and without the directory that it makes for the name of a header that is for all entries.
 */
function comparable(tree: Map<string, TreeEntry>, walked: Map<string, TreeEntry>): object[] {
  const entries = [...tree].filter(([path]) => path !== 'PaxHeaders');
  return entries.map(([path, entry]) => {
    const atUnpacking = Number(walked.get(path)?.modified) / 1e6 >= started;
    return { path, ...entry, ...(atUnpacking ? { modified: 'at unpacking' } : {}) };
  });
}

function awkwardImage(directory: string): Promise<WrittenImage> {
  const layers = awkwardLayers().map((pieces) => ({ tar: () => Readable.from(pieces) }));
  const image = { reference: 'harness.local/awkward:1', layers, config: {}, compressionLevel: 1 };
  return writeOciArchive(image, join(directory, 'awkward.tar'));
}

const describeWhereAble = binaryDirectory === undefined ? describe.skip : describe;

describeWhereAble('with containerd 2 (1.x knows no diff proxies)', () => {
  let host: ContainerHost;

  beforeAll(async () => {
    host = await ContainerHost.start(
      { file: {}, socket: {}, walking: {} },
      { binaryDirectory: binaryDirectory!, directly: { file: 'file', socket: 'socket' } },
    );
  });

  afterAll(async () => {
    await host[Symbol.asyncDispose]();
  });

  async function treeOf(image: WrittenImage, snapshotter: string): Promise<Map<string, TreeEntry>> {
    const place = { namespace, snapshotter };
    await host.import([image], place);
    await using tree = await host.mountTree(image, place, 'view');
    return await describeTree(tree.path);
  }

  // Each way to get at blobs has one of the images: what is read is the same either way.
  test.each([
    ['everything that layers can hold', 'socket', makeDemandingImage],
    ['layers made to be awkward', 'file', awkwardImage],
  ])('an image with %s gives the tree that the walking differ gives', async (_what, snapshotter, make) => {
    const image = await make(host.directory);
    const walked = await treeOf(image, 'walking');
    expect(walked.size).toBeGreaterThan(60);
    const direct = await treeOf(image, snapshotter);
    // It did not walk: see comparable().
    expect(direct.has('PaxHeaders')).toBe(false);
    expect(comparable(direct, walked)).toEqual(comparable(walked, walked));
  });

  /** An image of one layer that takes its time. */
  function large(name: string, bytes: number): Promise<WrittenImage> {
    return writeOciArchive(
      {
        reference: `harness.local/${name}:1`,
        layers: [{ entries: [{ path: 'large', type: 'file', content: noise(name, bytes) }] }],
        config: {},
        compressionLevel: 1,
      },
      join(host.directory, `${name}.tar`),
    );
  }

  /** What lies below the daemon's root for snapshots. */
  async function filesOfSnapshots(daemon: string): Promise<string[]> {
    const { root } = host.daemon(daemon).snapshotter;
    const found = ['images', 'snapshots', 'trash'].map((name) =>
      readdir(join(root, name), { recursive: true }),
    );
    return (await Promise.all(found)).flat().sort();
  }

  test('a daemon that is killed while it unpacks leaves nothing, and the import can be repeated', async () => {
    const place = { namespace, snapshotter: 'file' };
    const bytes = 60 * 2 ** 20;
    const image = await large('killed', bytes);
    const { snapshotter } = host.daemon('file');
    const before = await filesOfSnapshots('file');
    const failing = expect(host.import([image], place)).rejects.toThrow();
    // Not by the command, which takes longer than the layer does.
    await eventually('it is under way', async () =>
      (await filesOfSnapshots('file')).some((name) => name.includes('unpacked.erofs.tmp-')),
    );
    await snapshotter.crash();
    await failing;
    await host.restart('file');
    expect((await filesOfSnapshots('file')).filter((name) => /unpacked|tmp-/.test(name))).toEqual([]);
    await host.import([image], place);
    await using tree = await host.mountTree(image, place, 'view');
    expect((await stat(join(tree.path, 'large'))).size).toBe(bytes);
    const added = (await filesOfSnapshots('file')).filter((name) => !before.includes(name));
    expect(added.filter((name) => name.endsWith('.erofs'))).toHaveLength(1);
  });

  test('what is not for it is done by the walking differ: layers for other snapshotters, and layers of changes', async () => {
    const image = await large('local', 100_000);
    // The client unpacks, through containerd's diff service, which asks both of our differs first.
    for (const snapshotter of ['overlayfs', 'file'])
      await host.containerd.ctr(
        ['images', 'import', '--local', '--snapshotter', snapshotter, image.archive],
        { namespace: `${namespace}-local` },
      );
    const place = { namespace: `${namespace}-local`, snapshotter: 'file' };
    const tree = await host.mountTree(image, place);
    await writeFile(join(tree.path, 'changed'), 'changed');
    tree.unmount();
    const words = ['diff', '--media-type', 'application/vnd.oci.image.layer.v1.tar', tree.key];
    const layer = await host.containerd.ctr(['snapshots', '--snapshotter', 'file', ...words], place);
    expect(layer).toContain('changed');
  });

  test('four images that are imported at the same time are all whole', async () => {
    const place = { namespace, snapshotter: 'socket' };
    const bytes = 5 * 2 ** 20;
    const names = ['one', 'two', 'three', 'four'];
    const images = await Promise.all(names.map((name) => large(name, bytes)));
    await Promise.all(images.map((image) => host.import([image], place)));
    for (const [index, name] of names.entries()) {
      await using tree = await host.mountTree(images[index]!, place, 'view');
      expect((await readFile(join(tree.path, 'large'))).equals(noise(name, bytes))).toBe(true);
    }
  });
});
