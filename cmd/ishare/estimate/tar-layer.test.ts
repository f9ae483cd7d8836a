import { createHash } from 'node:crypto';
import {
  directoryMember,
  END,
  header,
  linkMember,
  member,
  padded,
  pax,
  symlinkMember,
} from '../../../erofs/writer/tar/testing/craft-tar';
import type { LayerDirectory, LayerNode } from './layer-files';
import { readTarLayer } from './tar-layer';
import { directory, file, whiteout } from './testing/layers';

async function* inPieces(tar: Buffer, size: number): AsyncGenerator<Buffer, void> {
  for (let at = 0; at < tar.length; at += size) yield await Promise.resolve(tar.subarray(at, at + size));
}

function read(size: number, ...members: readonly Buffer[]): Promise<LayerDirectory> {
  return readTarLayer(inPieces(Buffer.concat([...members, END]), size), 'layer.tar');
}

test.each([[1], [511], [512], [1_000_000]])(
  'files are hashed as they pass, in pieces of %d bytes',
  async (size) => {
    const root = await read(
      size,
      directoryMember('d'),
      member({ name: 'd/file' }, 'some content'),
      member({ name: 'page' }, 'p'.repeat(4096)),
      member({ name: 'empty' }),
      symlinkMember('link', 'd/file'),
    );
    expect(root).toEqual(
      directory({
        d: directory({ file: file('some content') }),
        page: file('p'.repeat(4096)),
        empty: whiteout,
        link: whiteout,
      }),
    );
  },
);

test('hard links are one file', async () => {
  const root = await read(
    4096,
    member({ name: 'one' }, 'same'),
    linkMember('two', 'one'),
    member({ name: 'copy' }, 'same'),
  );
  const at = (name: string): LayerNode | undefined => root.entries.get(name);
  expect(at('two')).toBe(at('one'));
  expect(at('copy')).toEqual(at('one'));
  expect(at('copy')).not.toBe(at('one'));
});

test('whiteouts hide, and opaque directories are known', async () => {
  const root = await read(
    4096,
    member({ name: '.wh.gone' }),
    directoryMember('d'),
    member({ name: 'd/.wh..wh..opq' }),
    member({ name: 'd/new' }, 'new'),
  );
  expect(root).toEqual(directory({ gone: whiteout, d: directory({ new: file('new') }, true) }));
});

test.each([[1], [700], [1_000_000]])(
  'holes are hashed as the zeros that they are, in pieces of %d bytes',
  async (size) => {
    const stored = Buffer.concat([Buffer.alloc(1000, 'a'), Buffer.alloc(24, 'b')]);
    const sparse = [
      pax([
        ['GNU.sparse.major', '0'],
        ['GNU.sparse.minor', '1'],
        ['GNU.sparse.size', '3000000'],
        ['GNU.sparse.map', '4096,1000,2999000,24'],
      ]),
      header({ name: 'sparse', size: stored.length }),
      padded(stored),
    ];
    const content = Buffer.alloc(3_000_000);
    stored.copy(content, 4096, 0, 1000);
    stored.copy(content, 2_999_000, 1000);
    const digest = createHash('sha256').update(content).digest('hex');
    const root = await read(size, ...sparse, member({ name: 'next' }, 'next'));
    expect(root).toEqual(
      directory({ sparse: { kind: 'file', size: 3_000_000, digest }, next: file('next') }),
    );
  },
);

test('a hole of absurd size is refused', async () => {
  const sparse = [
    pax([
      ['GNU.sparse.major', '0'],
      ['GNU.sparse.minor', '1'],
      ['GNU.sparse.size', '4503599627370496'],
      ['GNU.sparse.map', '0,0'],
    ]),
    header({ name: 'bomb', size: 0 }),
  ];
  await expect(read(4096, ...sparse)).rejects.toThrow(
    'layer.tar, bomb at byte 1024: a file with 4503599627370496 bytes of holes',
  );
});

test('names deeper than any stack are read', async () => {
  const depth = 50_000;
  let node: LayerNode | undefined = await read(
    4096,
    pax([['path', 'd/'.repeat(depth) + 'file']]),
    member({}, 'deep'),
  );
  for (let level = 0; level < depth; level++)
    node = node?.kind === 'directory' ? node.entries.get('d') : undefined;
  expect(node?.kind === 'directory' && node.entries.get('file')).toEqual(file('deep'));
});

test('what stands behind the end is read to its end', async () => {
  let pieces = 0;
  async function* counted(): AsyncGenerator<Buffer, void> {
    for await (const piece of inPieces(Buffer.concat([END, Buffer.alloc(100_000)]), 1000)) {
      pieces++;
      yield piece;
    }
  }
  await readTarLayer(counted(), 'layer.tar');
  expect(pieces).toBe(102);
});
