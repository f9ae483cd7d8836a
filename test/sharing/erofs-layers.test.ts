import { createReadStream, existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unpackedCommand } from '../../erofs/testing/erofs-utils';
import { digestOfBytes, makeReadyMade } from '../../ishare/verification/testing/ready-made';
import { writeOciArchive, type OciImage, type WrittenImage } from '../../scripts/oci/oci-archive';
import { TemporaryDirectory } from '../../scripts/process/temporary-directory';
import { ContainerHost, ownNamespace, topSnapshot } from '../harness/container-host';
import { eventually } from '../../linux/testing/eventually';
import { Ownership } from '../harness/ownership';
import { noise } from '../harness/noise';
import { verificationEnds } from '../harness/stored-trust';

const place = { namespace: ownNamespace('layers'), snapshotter: 'ishare' };
const content = noise('in every image', 300_000);

const utils = process.env['ISHARE_TEST_EROFS_UTILS'];
const able =
  process.env['ISHARE_TEST_CONTAINERD_BIN'] !== undefined &&
  utils !== undefined &&
  existsSync(join(utils, 'usr/bin/mkfs.erofs'));

/** The erofs differ is in containerd from 2.1 on, and needs an mkfs.erofs that reads tars. */
(able ? describe : describe.skip)('where containerd delivers layers as EROFS images', () => {
  let ownership: Ownership;
  let host: ContainerHost;

  beforeAll(async () => {
    ownership = new Ownership();
    const programs = ownership.own(await TemporaryDirectory.create('ishare-mkfs')).path;
    const command = unpackedCommand(utils!, 'mkfs.erofs').join(' ');
    await writeFile(join(programs, 'mkfs.erofs'), `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
    const settings = { domains: { default: 'one' } };
    host = ownership.own(
      await ContainerHost.start(
        { ishare: { ...settings, erofs_layers: true }, plain: settings },
        { programs },
      ),
    );
  });

  afterAll(async () => {
    await ownership[Symbol.asyncDispose]();
  });

  async function importImage(name: string, rest: Partial<OciImage>): Promise<WrittenImage> {
    const image = await writeOciArchive(
      { reference: `harness.local/${name}:1`, layers: [], config: {}, compression: 'none', ...rest },
      join(host.directory, `${name}.tar`),
    );
    await host.import([image], place);
    return image;
  }

  /** READs that it costs to read a file whose bytes must be right. */
  async function readsOf(file: string): Promise<number> {
    const { ishare } = host.daemon('ishare');
    const before = await ishare.reads();
    expect(digestOfBytes(await readFile(file))).toBe(digestOfBytes(content));
    return (await ishare.reads()) - before;
  }

  test('native and converted layers are adopted, verified, and share pages', async () => {
    const file = await makeReadyMade(join(host.directory, 'native.erofs'), { 'data/native': content });
    const native = await importImage('native', {
      layers: [{ tar: () => createReadStream(file) }],
      erofsLayers: true,
    });
    const converted = await importImage('converted', {
      layers: [
        { entries: [{ path: 'below', type: 'file', content: 'below' }] },
        { entries: [{ path: 'converted', type: 'file', content }] },
      ],
    });
    const { root } = host.daemon('ishare').snapshotter;
    for (const image of [native, converted]) {
      expect(await verificationEnds(root, topSnapshot(image))).toEqual({ trust: 'verified', reason: '' });
    }
    expect(native.layers.map(({ diffId }) => diffId)).toEqual([
      `sha256:${digestOfBytes(await readFile(file))}`,
    ]);
    const stored = await host.imageFile(topSnapshot(native), place.snapshotter);
    expect((await readFile(stored)).equals(await readFile(file))).toBe(true);

    await using one = await host.mountTree(native, place);
    await using two = await host.mountTree(converted, place);
    expect(await readFile(join(two.path, 'below'), 'utf8')).toBe('below');
    await eventually('both images share the pages of the file', async () => {
      await readsOf(join(one.path, 'data/native'));
      return (await readsOf(join(two.path, 'converted'))) === 0;
    });
  });

  test('what a container has written is committed as ever', async () => {
    const image = await importImage('written', {
      layers: [{ entries: [{ path: 'below', type: 'file', content: 'below' }] }],
    });
    const tree = await host.mountTree(image, place);
    await writeFile(join(tree.path, 'new'), 'new');
    tree.unmount();
    const stored = await host.commit(tree, 'written', place);
    expect((await stat(stored)).size).toBeGreaterThan(0);
    await using again = await host.mountTree('written', place, 'view');
    expect(await readFile(join(again.path, 'new'), 'utf8')).toBe('new');
    expect(await readFile(join(again.path, 'below'), 'utf8')).toBe('below');
  });

  test('a snapshotter that does not say so gets its layers as ever', async () => {
    const elsewhere = { ...place, snapshotter: 'plain' };
    const image = await writeOciArchive(
      {
        reference: 'harness.local/plain:1',
        layers: [{ entries: [{ path: 'file', type: 'file', content }] }],
        config: {},
      },
      join(host.directory, 'plain.tar'),
    );
    await host.import([image], elsewhere);
    await using tree = await host.mountTree(image, elsewhere, 'view');
    expect((await readFile(join(tree.path, 'file'))).equals(content)).toBe(true);
  });
});
