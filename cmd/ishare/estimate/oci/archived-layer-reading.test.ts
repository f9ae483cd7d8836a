import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Decoding } from '../../../../erofs/image';
import { MemorySource } from '../../../../erofs/memory-source';
import { END, header, member } from '../../../../erofs/writer/tar/testing/craft-tar';
import type { Layer } from '../layer-files';
import { gzipped, sha256, tarLayer, type CraftedLayer } from '../testing/crafted-layout';
import type { ArchivedLayer } from './archived-image';
import { readArchivedLayer } from './archived-layer-reading';
import { DirectoryStore } from './image-store';
import { TarStore } from './tar-store';

const PATH = 'blobs/sha256/blob';
const CONTENT = Buffer.alloc(3_000_000, 'content');
const plain = tarLayer(member({ name: 'file' }, CONTENT));

interface Reading {
  readonly layer: Layer;
  /** Bytes of the blob, as progress has them. */
  readonly read: number;
}

/** Reads a layer whose blob is what `stored` says, and the rest what `layer` says. */
async function read(
  layer: CraftedLayer,
  change: Partial<ArchivedLayer> = {},
  stored = layer.blob,
): Promise<Reading> {
  const tar = Buffer.concat([member({ name: PATH }, stored), END]);
  await using store = await TarStore.open(new MemorySource(tar, 'a.tar'));
  const archived: ArchivedLayer = {
    path: PATH,
    digest: sha256(layer.blob),
    size: layer.blob.length,
    form: 'tar',
    diffId: layer.diffId,
    chainId: layer.diffId,
    ...change,
  };
  let bytes = 0;
  const reading = { trustFingerprints: false, decoding: new Decoding() };
  const found = await readArchivedLayer(store, archived, reading, (more) => (bytes += more));
  return { layer: found, read: bytes };
}

test.each([
  ['plain', plain],
  ['gzip', gzipped(plain)],
  ['zstd', { ...plain, blob: execFileSync('zstd', ['-q', '-c'], { input: plain.blob, timeout: 10_000 }) }],
])('a layer is read, %s', async (_name, layer) => {
  const { layer: found, read: bytes } = await read(layer);
  const digest = createHash('sha256').update(CONTENT).digest('hex');
  expect(found.root.entries).toEqual(new Map([['file', { kind: 'file', size: CONTENT.length, digest }]]));
  expect(found.faults).toBeUndefined();
  expect(bytes).toBe(layer.blob.length);
});

describe.each([
  ['plain', plain],
  ['gzip', gzipped(plain)],
])('a blob that is not what its digest says, %s', (_name, layer) => {
  function changed(at: number): Buffer {
    const bytes = Buffer.from(layer.blob);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
    return bytes;
  }

  test.each([
    ['in its first byte', changed(0)],
    ['in the middle', changed(Math.floor(layer.blob.length / 2))],
    ['at the end', changed(layer.blob.length - 1)],
    ['cut short', layer.blob.subarray(0, layer.blob.length - 100)],
    ['with something behind it', Buffer.concat([layer.blob, Buffer.from('more')])],
    ['empty', Buffer.alloc(0)],
  ])('is named, with the digest that it has: %s', async (_how, stored) => {
    await expect(read(layer, {}, stored)).rejects.toThrow(
      `a.tar, ${PATH}: the content has the digest ${sha256(stored)}`,
    );
  });
});

test('a blob that has its digest and is no tar is told as such', async () => {
  const blob = Buffer.alloc(5000, 'no tar');
  await expect(read({ blob, diffId: sha256(blob) })).rejects.toThrow(
    `a.tar, ${PATH}, byte 0: no header of a tar is here`,
  );
  const cut = Buffer.concat([header({ name: 'file', size: 9000 }), Buffer.alloc(100)]);
  await expect(read({ blob: cut, diffId: sha256(cut) })).rejects.toThrow(
    `a.tar, ${PATH}, file at byte 0: the stream ends at byte 612`,
  );
});

test('a layer that unpacks to something else than the configuration says is refused', async () => {
  const other = sha256('other');
  await expect(read(gzipped(plain), { diffId: other })).rejects.toThrow(
    `the layer unpacks to ${plain.diffId}, the configuration of the image says ${other}`,
  );
});

test('a layer without a digest is known by what it unpacks to', async () => {
  expect((await read(plain, { digest: undefined })).layer.root.entries.size).toBe(1);
  await expect(read(plain, { digest: undefined, diffId: sha256('other') })).rejects.toThrow(
    `the layer unpacks to ${plain.diffId}`,
  );
});

test('a layer may be an EROFS image', async () => {
  const blob = readFileSync(resolve('test/fixtures/erofs/plain-fp.erofs'));
  const erofs = { blob, diffId: sha256(blob) };
  const { layer, read: bytes } = await read(erofs, { form: 'erofs' });
  expect(layer.root.entries.size).toBeGreaterThan(0);
  expect(layer.faults).toMatchObject({ missing: 0, wrong: 0 });
  expect(bytes).toBe(blob.length);
  await expect(read(erofs, { form: 'erofs', digest: sha256('other') })).rejects.toThrow('has the digest');
  await expect(read(erofs, { form: 'erofs', diffId: sha256('other') })).rejects.toThrow('unpacks to');
});

test('memory does not grow with the size of a layer', async () => {
  const size = 512 << 20;
  const directory = mkdtempSync(join(tmpdir(), 'ishare-estimate-'));
  try {
    writeFileSync(join(directory, 'layer'), header({ name: 'large', size }));
    truncateSync(join(directory, 'layer'), size + 3 * 512);
    const layer = {
      path: 'layer',
      digest: undefined,
      size,
      form: 'tar',
      diffId: sha256(''),
      chainId: '',
    } as const;
    const before = process.memoryUsage.rss();
    let most = before;
    const watch = (): void => {
      most = Math.max(most, process.memoryUsage.rss());
    };
    const reading = { trustFingerprints: false, decoding: new Decoding() };
    // Which says that all of it was read.
    await expect(readArchivedLayer(new DirectoryStore(directory), layer, reading, watch)).rejects.toThrow(
      'the layer unpacks to',
    );
    expect(most - before).toBeLessThan(size / 4);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
