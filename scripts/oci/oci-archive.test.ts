import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { TemporaryDirectory } from '../process/temporary-directory';
import type { LayerEntry } from './layer-source';
import { writeOciArchive, type OciImage } from './oci-archive';

const entries: LayerEntry[] = [
  { path: 'etc', type: 'directory', mode: 0o750, uid: 7, gid: 8, modifiedSeconds: 5 },
  { path: 'etc/file', type: 'file', content: 'content', xattrs: { 'user.name': 'value' } },
  { path: 'etc/locked', type: 'file', content: '', mode: 0 },
  { path: 'etc/again', type: 'link', target: 'etc/file' },
  { path: 'etc/pointer', type: 'symlink', target: 'file' },
  { path: 'null', type: 'character-device', device: { major: 1, minor: 3 }, mode: 0o666 },
];

function imageOf(layers: OciImage['layers'], overrides: Partial<OciImage> = {}): OciImage {
  return { reference: 'example.local/name:tag', layers, config: { entrypoint: ['/x'] }, ...overrides };
}

function unpacked(archive: string, into: string): string {
  execFileSync('tar', ['-xf', archive, '-C', into]);
  return into;
}

/** Every blob of an unpacked layout must lie under its own digest. */
function readBlob(layout: string, digest: string): Buffer {
  const content = readFileSync(join(layout, 'blobs', digest.replace(':', '/')));
  expect(`sha256:${createHash('sha256').update(content).digest('hex')}`).toBe(digest);
  return content;
}

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string; readonly size: number; readonly mediaType: string }[];
}

test('an archive holds index, manifest, config and layers under their digests', async () => {
  await using directory = await TemporaryDirectory.create();
  const archive = join(directory.path, 'image.tar');
  const written = await writeOciArchive(imageOf([{ entries }]), archive);
  const layout = join(directory.path, 'layout');
  await mkdir(layout);
  unpacked(archive, layout);
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
    readonly manifests: readonly { readonly digest: string; readonly annotations: Record<string, string> }[];
  };
  expect(index.manifests[0]?.annotations).toEqual({
    'io.containerd.image.name': 'example.local/name:tag',
    'org.opencontainers.image.ref.name': 'tag',
  });
  const manifest = JSON.parse(readBlob(layout, index.manifests[0]!.digest).toString()) as Manifest;
  const config = JSON.parse(readBlob(layout, manifest.config.digest).toString()) as {
    readonly rootfs: { readonly diff_ids: readonly string[] };
  };
  const [layer] = manifest.layers;
  const stored = readBlob(layout, layer!.digest);
  expect(stored.length).toBe(layer!.size);
  const tar = gunzipSync(stored);
  const diffId = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
  expect(config.rootfs.diff_ids).toEqual([diffId]);
  expect(written.layers[0]).toMatchObject({ diffId, digest: layer!.digest, uncompressedSize: tar.length });
});

test('entries arrive with owner, mode, links, devices and extended attributes', async () => {
  await using directory = await TemporaryDirectory.create();
  const archive = join(directory.path, 'image.tar');
  const { layers } = await writeOciArchive(imageOf([{ entries }], { compression: 'none' }), archive);
  const layout = join(directory.path, 'layout');
  await mkdir(layout);
  unpacked(archive, layout);
  const layer = join(layout, 'blobs', layers[0]!.digest.replace(':', '/'));
  const listing = execFileSync('tar', ['--numeric-owner', '--full-time', '--xattrs', '-tvvf', layer], {
    env: { ...process.env, TZ: 'UTC' },
  }).toString();
  expect(listing).toMatch(/^drwxr-x--- +7\/8 .* 1970-01-01 00:00:05 etc\/$/m);
  expect(listing).toMatch(/^---------- .* etc\/locked$/m);
  expect(listing).toMatch(/etc\/again link to etc\/file$/m);
  expect(listing).toMatch(/etc\/pointer -> file$/m);
  expect(listing).toMatch(/^crw-rw-rw- .* 1,3 .* null$/m);
  expect(listing).toMatch(/x: +5 user\.name/);
});

test('the same directory gives the same bytes, whatever its access times', async () => {
  await using directory = await TemporaryDirectory.create();
  const source = join(directory.path, 'source');
  await mkdir(join(source, 'sub'), { recursive: true });
  await writeFile(join(source, 'sub', 'file'), 'content');
  await symlink('sub/file', join(source, 'link'));
  const first = await writeOciArchive(imageOf([{ directory: source }]), join(directory.path, '1.tar'));
  execFileSync('touch', ['-a', '-d', '@0', join(source, 'sub', 'file')]);
  const second = await writeOciArchive(imageOf([{ directory: source }]), join(directory.path, '2.tar'));
  expect(readFileSync(second.archive).equals(readFileSync(first.archive))).toBe(true);
  const clamped = await writeOciArchive(
    imageOf([{ directory: source, modifiedSeconds: 1000 }]),
    join(directory.path, '3.tar'),
  );
  expect(clamped.layers[0]!.diffId).not.toBe(first.layers[0]!.diffId);
});

test('the same layer twice is one blob', async () => {
  await using directory = await TemporaryDirectory.create();
  const { archive } = await writeOciArchive(
    imageOf([{ entries }, { entries }]),
    join(directory.path, 'image.tar'),
  );
  const names = execFileSync('tar', ['-tf', archive]).toString().trim().split('\n');
  expect(new Set(names).size).toBe(names.length);
});

test('a layer that cannot be read fails the archive and names the reason', async () => {
  await using directory = await TemporaryDirectory.create();
  const archive = join(directory.path, 'image.tar');
  await expect(writeOciArchive(imageOf([{ directory: '/nowhere/at/all' }]), archive)).rejects.toThrow(
    '/nowhere/at/all',
  );
  const broken = { entries: [{ path: 'x', type: 'file', content: { file: '/nowhere', size: 5 } }] } as const;
  await expect(writeOciArchive(imageOf([broken]), archive)).rejects.toThrow('/nowhere');
});

test('an abort ends the writing', async () => {
  await using directory = await TemporaryDirectory.create();
  const controller = new AbortController();
  async function* endless(): AsyncGenerator<LayerEntry> {
    for (let index = 0; ; index++) {
      if (index === 100) controller.abort();
      yield await Promise.resolve({ path: `file-${index}`, type: 'file', content: Buffer.alloc(1000) });
    }
  }
  const writing = writeOciArchive(
    imageOf([{ entries: endless() }]),
    join(directory.path, 'image.tar'),
    controller.signal,
  );
  await expect(writing).rejects.toThrow();
});
