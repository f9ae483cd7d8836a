import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { buildImage } from '../../build';
import { ScratchDirectory } from '../testing/scratch-directory';
import { WrongBlobError } from './errors';
import { TYPE } from './header';
import type { LayerBlob, LayerTar } from './layer-blob';
import { directoryMember, END, member, pax } from './testing/craft-tar';
import { ReadLayer } from './testing/read-layer';

function digestOf(bytes: Buffer, algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

const tar = Buffer.concat([member({ name: 'file' }, 'x'.repeat(5000)), END, Buffer.alloc(20_000)]);
const packed = gzipSync(tar);

async function read(
  bytes: Buffer,
  blob: LayerBlob,
  lower: readonly string[] = [],
): Promise<{ layer: ReadLayer; found: LayerTar | undefined }> {
  using scratch = new ScratchDirectory();
  writeFileSync(scratch.join('blob'), bytes);
  let found: LayerTar | undefined;
  const layer = await ReadLayer.of(
    { tar: scratch.join('blob'), blob, lower },
    { onTar: (told) => (found = told) },
  );
  return { layer, found };
}

function blobOf(bytes: Buffer, algorithm?: string): LayerBlob {
  return { digest: digestOf(bytes, algorithm), size: bytes.length };
}

test.each([
  ['plain', tar, 'sha256'],
  ['compressed', packed, 'sha256'],
  ['named by a longer digest', packed, 'sha512'],
])('of a blob that is %s, the tar is told with all that stands behind its end', async (_how, bytes, name) => {
  const { layer, found } = await read(bytes, blobOf(bytes, name));
  using _layer = layer;
  expect(found).toEqual({ digest: digestOf(tar), bytes: tar.length });
  expect(layer.paths).toEqual(['file']);
});

describe('what is not the blob is refused', () => {
  const blob = blobOf(packed);
  const behind = Buffer.concat([packed, Buffer.alloc(1)]);

  test.each([
    [
      'another content',
      packed,
      { ...blob, digest: digestOf(tar) },
      `its content has the digest ${blob.digest}`,
    ],
    ['more of it', behind, blob, `it is longer than the ${packed.length} bytes that it should have`],
    ['less of it', packed, { ...blob, size: 999_999 }, `it ends after ${packed.length} of 999999 bytes`],
    ['an unknown digest', packed, { ...blob, digest: 'md5:00' }, 'md5:00 is no digest that is known here'],
  ])('%s', async (_what, bytes, expected, problem) => {
    const failure = read(bytes, expected);
    await expect(failure).rejects.toThrow(WrongBlobError);
    await expect(failure).rejects.toThrow(`${expected.digest}: ${problem}`);
  });

  test('and no image is made', async () => {
    using scratch = new ScratchDirectory();
    scratch.shell('mkdir images');
    writeFileSync(scratch.join('blob'), packed);
    const source = { tar: scratch.join('blob'), blob: { ...blob, digest: digestOf(tar) } };
    const build = buildImage({ source, target: scratch.join('images/image') });
    await expect(build).rejects.toThrow(WrongBlobError);
    expect(readdirSync(scratch.join('images'))).toEqual([]);
  });
});

test('a blob reads as containerd unpacks it', async () => {
  const odd = Buffer.concat([
    pax([['SCHILY.xattr.user.global', '1']], TYPE.PAX_GLOBAL),
    directoryMember('./', { mode: 0o700, uid: 5 }),
    pax([
      ['mtime', '-1.5'],
      ['SCHILY.xattr.trusted.left', 'out'],
      ['SCHILY.xattr.user.kept', 'value'],
    ]),
    member({ name: 'old' }),
    pax([['mtime', '9300000000']]),
    member({ name: 'far' }),
    pax([['mtime', '4000000000.25']]),
    member({ name: 'future' }),
    END,
  ]);
  const { layer } = await read(odd, blobOf(odd));
  using _layer = layer;
  expect(layer.root).toMatchObject({ permissions: 0o755, uid: 0, xattrs: [] });
  expect(layer.xattrs('old')).toEqual({ 'user.kept': 'value' });
  expect(layer.at('old').mtime).toEqual({ seconds: 0, nanoseconds: 0 });
  expect(layer.at('far').mtime).toEqual({ seconds: 0, nanoseconds: 0 });
  expect(layer.at('future').mtime).toEqual({ seconds: 4_000_000_000, nanoseconds: 250_000_000 });
});

test('the lowest layer has nothing to hide', async () => {
  const hiding = Buffer.concat([
    member({ name: '.wh.gone' }),
    directoryMember('opaque'),
    member({ name: 'opaque/.wh..wh..opq' }),
    END,
  ]);
  const { layer } = await read(hiding, blobOf(hiding));
  using _layer = layer;
  expect(layer.paths).toEqual(['opaque/']);
  expect(layer.xattrs('opaque')).toEqual({});
});
