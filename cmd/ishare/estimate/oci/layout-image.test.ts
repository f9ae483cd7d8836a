import { member } from '../../../../erofs/writer/tar/testing/craft-tar';
import {
  AMD64,
  ARM64,
  configurationOf,
  CraftedLayout,
  gzipped,
  named,
  OCI,
  pathOf,
  sha256,
  tarLayer,
} from '../testing/crafted-layout';
import type { ArchivedImage, ImageChoice } from './archived-image';
import { readLayoutImage } from './layout-image';
import { hostPlatform } from './platform';

const base = tarLayer(member({ name: 'base' }, 'base'));
const top = gzipped(tarLayer(member({ name: 'top' }, 'top')));

async function read(layout: CraftedLayout, choice: Partial<ImageChoice> = {}): Promise<ArchivedImage> {
  await using store = await layout.store();
  return await readLayoutImage(store, { name: undefined, platform: undefined, ...choice });
}

test('the only image is found, with the chain ids of its layers', async () => {
  const layout = new CraftedLayout();
  const image = await read(layout.index(named(layout.image([base, top]), 'one')));
  expect(image).toMatchObject({
    name: 'one',
    platform: AMD64,
    layers: [
      { path: pathOf(base.diffId), digest: base.diffId, diffId: base.diffId, chainId: base.diffId },
      { digest: sha256(top.blob), diffId: top.diffId, chainId: sha256(`${base.diffId} ${top.diffId}`) },
    ],
  });
});

describe('of several images', () => {
  const layout = new CraftedLayout();
  const [one, two] = [layout.image([base]), layout.image([base, top])];
  layout.index(named(one, 'one'), {
    ...two,
    annotations: { 'io.containerd.image.name': 'docker.io/two:1', 'org.opencontainers.image.ref.name': '1' },
  });

  test.each([
    ['one', 1],
    ['docker.io/two:1', 2],
    ['1', 2],
    [one.digest, 1],
    [two.digest, 2],
  ])('%s chooses one', async (name, layers) => {
    expect((await read(layout, { name })).layers).toHaveLength(layers);
  });

  test('one must be chosen', async () => {
    await expect(read(layout)).rejects.toThrow(
      'archive.tar: holds several images; choose one with archive.tar#NAME: one, docker.io/two:1',
    );
    await expect(read(layout, { name: 'three' })).rejects.toThrow(
      'archive.tar: holds no image three, but one, docker.io/two:1',
    );
  });

  test('those that are one under several names need no choice', async () => {
    const tags = new CraftedLayout();
    const image = tags.image([base]);
    expect((await read(tags.index(named(image, 'a'), named(image, 'b')))).name).toBe('a');
  });
});

describe('of several platforms', () => {
  function layoutFor(...nested: boolean[]): CraftedLayout {
    const layout = new CraftedLayout();
    const manifests = [
      { ...layout.image([base], AMD64), platform: AMD64 },
      { ...layout.image([base, top], ARM64), platform: { ...ARM64, variant: 'v8' } },
      {
        ...layout.image([], { os: 'unknown', architecture: 'unknown' }),
        platform: { os: 'unknown', architecture: 'unknown' },
      },
    ];
    for (const _level of nested) {
      manifests.splice(0, 3, layout.blob({ manifests: [...manifests] }, OCI.index) as (typeof manifests)[0]);
    }
    return layout.index(...manifests);
  }

  test.each([
    ['in the index', layoutFor()],
    ['in an index below', layoutFor(true)],
    ['two levels below', layoutFor(true, true)],
  ])('the one that is asked for is read, %s', async (_where, layout) => {
    expect((await read(layout, { platform: ARM64 })).layers).toHaveLength(2);
    expect((await read(layout, { platform: { ...ARM64, variant: 'v8' } })).layers).toHaveLength(2);
    expect((await read(layout, { platform: AMD64 })).layers).toHaveLength(1);
    const own = hostPlatform.architecture === 'arm64' ? 2 : 1;
    expect((await read(layout)).layers).toHaveLength(own);
    await expect(read(layout, { platform: { os: 'linux', architecture: 's390x' } })).rejects.toThrow(
      'archive.tar: holds no image for linux/s390x, but for linux/amd64, linux/arm64/v8',
    );
  });

  test('only the one that is read must be there', async () => {
    const layout = new CraftedLayout();
    const absent = { ...layout.image([top], ARM64), platform: ARM64 };
    layout.files.delete(pathOf(absent.digest));
    const present = { ...layout.image([base], AMD64), platform: AMD64 };
    const index = layout.blob({ manifests: [absent, present] }, OCI.index);
    expect((await read(layout.index(index), { platform: AMD64 })).layers).toHaveLength(1);
    await expect(read(layout, { platform: ARM64 })).rejects.toThrow(
      `archive.tar, ${pathOf(absent.digest)}: the manifest is missing`,
    );
  });

  test('a single image is read whatever it is for, unless another platform is asked for', async () => {
    const layout = new CraftedLayout();
    layout.index(layout.image([base], { os: 'linux', architecture: 'riscv64' }));
    expect((await read(layout)).platform?.architecture).toBe('riscv64');
    await expect(read(layout, { platform: ARM64 })).rejects.toThrow(
      'holds no image for linux/arm64, but for linux/riscv64',
    );
  });

  test('variants are told apart', async () => {
    const layout = new CraftedLayout();
    const arm = (variant: string) => ({ os: 'linux', architecture: 'arm', variant });
    const of = (variant: string, ...layers: Parameters<CraftedLayout['image']>[0]) => ({
      ...layout.image(layers, arm(variant)),
      platform: arm(variant),
    });
    layout.index(of('v6', base), of('v7', base, top));
    expect((await read(layout, { platform: arm('v7') })).layers).toHaveLength(2);
    await expect(read(layout, { platform: { os: 'linux', architecture: 'arm' } })).rejects.toThrow(
      'holds several images for linux/arm; choose with --platform: linux/arm/v6, linux/arm/v7',
    );
  });
});

describe('refused is', () => {
  test('an archive without an image', async () => {
    await expect(read(new CraftedLayout().index())).rejects.toThrow('archive.tar: holds no image');
    await expect(read(new CraftedLayout())).rejects.toThrow('archive.tar, index.json: the index is missing');
  });

  test.each([
    ['application/vnd.oci.image.layer.v1.tar+gzip+encrypted', /: an encrypted layer \(/],
    [
      'application/vnd.oci.image.layer.v1.squashfs',
      /: a layer of the media type \S+squashfs, which is not known here$/,
    ],
    ['application/vnd.example.estargz', /: a layer of the media type/],
  ])('a layer of the type %s', async (mediaType, message) => {
    const layout = new CraftedLayout();
    await expect(read(layout.index(layout.image([{ ...base, mediaType }])))).rejects.toThrow(message);
  });

  test('a manifest of another kind', async () => {
    const layout = new CraftedLayout();
    const mediaType = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
    await expect(read(layout.index({ ...layout.image([base]), mediaType }))).rejects.toThrow(
      `a manifest of the media type ${mediaType}, which is not known here`,
    );
  });

  test('a layer that is missing, or foreign and left out', async () => {
    for (const [mediaType, what] of [
      [OCI.tar, 'a layer is missing'],
      [
        'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
        'a foreign layer, which archives leave out, is missing',
      ],
    ] as const) {
      const layout = new CraftedLayout();
      layout.index(layout.image([base, { ...top, mediaType }]));
      layout.files.delete(pathOf(sha256(top.blob)));
      await expect(read(layout)).rejects.toThrow(`archive.tar, ${pathOf(sha256(top.blob))}: ${what}`);
    }
  });

  test('a layer of another size than its descriptor says', async () => {
    const layout = new CraftedLayout();
    layout.index(layout.image([base]));
    layout.files.set(pathOf(base.diffId), base.blob.subarray(512));
    await expect(read(layout)).rejects.toThrow(
      `has ${base.blob.length - 512} bytes, its descriptor says ${base.blob.length}`,
    );
  });

  test('a document that has not its digest', async () => {
    const layout = new CraftedLayout();
    const { digest } = layout.image([base]);
    layout.index({ mediaType: OCI.manifest, digest, size: 3 });
    layout.files.set(pathOf(digest), Buffer.from('{}'));
    await expect(read(layout)).rejects.toThrow(
      `archive.tar, ${pathOf(digest)}: the content has the digest ${sha256('{}')}`,
    );
  });

  test('a configuration of other layers', async () => {
    const layout = new CraftedLayout();
    const config = layout.blob(configurationOf([base]), OCI.config);
    const manifest = layout.blob({ config, layers: [] }, OCI.manifest);
    await expect(read(layout.index(manifest))).rejects.toThrow(
      'archive.tar: an image has 0 layers, its configuration says 1',
    );
  });

  test.each([
    ['../../etc/passwd'],
    ['sha256:../../../etc/passwd'],
    [`sha256:${'0'.repeat(63)}`],
    [`md5:${'0'.repeat(32)}`],
  ])('the digest %s', async (digest) => {
    const layout = new CraftedLayout().index({ mediaType: OCI.manifest, digest, size: 1 });
    await expect(read(layout)).rejects.toThrow(
      'archive.tar, index.json: manifests.0.digest: is no SHA-256 or SHA-512 digest',
    );
  });

  test('what is no JSON, or of another form', async () => {
    const layout = new CraftedLayout();
    layout.files.set('index.json', Buffer.from('{"manifests": ['));
    await expect(read(layout)).rejects.toThrow(/^archive\.tar, index\.json: is no JSON: /);
    layout.files.set('index.json', Buffer.from('{"manifests": 7}'));
    await expect(read(layout)).rejects.toThrow(/^archive\.tar, index\.json: manifests: /);
    layout.files.set('index.json', Buffer.alloc(9 << 20, ' '));
    await expect(read(layout)).rejects.toThrow(/where a JSON document of 8388608 at most should be/);
  });

  test('an index that leads deeper and deeper', async () => {
    const layout = new CraftedLayout();
    let manifest = layout.image([base]);
    for (let depth = 0; depth < 12; depth++) manifest = layout.blob({ manifests: [manifest] }, OCI.index);
    await expect(read(layout.index(manifest))).rejects.toThrow('its indexes lead to too many manifests');
  });
});
