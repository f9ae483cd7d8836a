import { mkdirSync, mkdtempSync, rmSync, writeFileSync, linkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { FileSource } from '../../../erofs/file-source';
import { Decoding } from '../../../erofs/image';
import { systemMkfs } from '../../../erofs/testing/erofs-utils';
import { makeDevice, makeNode } from '../../../linux/device-node';
import { setXattr } from '../../../linux/xattr';
import { bytesToHash, openErofsImage, readErofsLayer } from './erofs-layer';
import type { Layer } from './layer-files';
import { directory, file, whiteout } from './testing/layers';
import { visibleFiles } from './visible-files';

const fixture = (name: string): string => resolve('test/fixtures/erofs', name);

interface Reading {
  readonly layer: Layer;
  readonly hashed: number;
  readonly expected: number;
}

async function read(path: string, trust = false): Promise<Reading> {
  await using image = await openErofsImage(await FileSource.open(path), new Decoding());
  const expected = await bytesToHash(image, trust);
  let hashed = 0;
  const layer = await readErofsLayer(image, trust, (bytes) => (hashed += bytes));
  return { layer, hashed, expected };
}

let scratch: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'ishare-estimate-'));
});

afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

test('the tree of an image is read, with whiteouts, opaque directories and hard links', async () => {
  const source = join(scratch, 'tree');
  mkdirSync(join(source, 'opaque'), { recursive: true });
  writeFileSync(join(source, 'file'), 'content');
  linkSync(join(source, 'file'), join(source, 'opaque/linked'));
  writeFileSync(join(source, 'empty'), '');
  makeNode(join(source, 'gone'), 0o020000, makeDevice(0, 0));
  setXattr(join(source, 'opaque'), 'trusted.overlay.opaque', Buffer.from('y'));
  systemMkfs.run('--quiet', join(scratch, 'tree.erofs'), source);
  const { layer } = await read(join(scratch, 'tree.erofs'));
  const content = file('content');
  expect(layer.root).toEqual(
    directory({
      file: content,
      opaque: directory({ linked: content }, true),
      empty: whiteout,
      gone: whiteout,
    }),
  );
  const [one, other] = [...visibleFiles([layer])];
  expect(one?.file).toBe(other?.file);
});

test('fingerprints are computed, unless they are to be trusted', async () => {
  const computed = await read(fixture('plain-fp.erofs'));
  const trusted = await read(fixture('plain-fp.erofs'), true);
  expect(computed.hashed).toBeGreaterThan(0);
  expect(trusted.hashed).toBe(0);
  expect(trusted.layer.root).toEqual(computed.layer.root);
  for (const { hashed, expected } of [computed, trusted]) expect(hashed).toBe(expected);
});

test('compression changes nothing, and missing fingerprints are counted', async () => {
  const [plain, zstd] = [await read(fixture('plain-fp.erofs')), await read(fixture('zstd.erofs'), true)];
  expect(zstd.layer.root).toEqual(plain.layer.root);
  const { files } = plain.layer.faults ?? { files: 0 };
  expect(plain.layer.faults).toEqual({ files, missing: 0, wrong: 0 });
  expect(zstd.layer.faults).toEqual({ files, missing: files, wrong: 0 });
  expect(zstd.hashed).toBe(zstd.expected);
});
