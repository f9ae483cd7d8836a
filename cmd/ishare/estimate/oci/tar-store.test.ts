import type { ByteSource } from '../../../../erofs/byte-source';
import { MemorySource } from '../../../../erofs/memory-source';
import {
  END,
  gnuLong,
  header,
  linkMember,
  member,
  pax,
  symlinkMember,
} from '../../../../erofs/writer/tar/testing/craft-tar';
import { TarStore } from './tar-store';

function opened(...parts: readonly Buffer[]): Promise<TarStore> {
  return TarStore.open(new MemorySource(Buffer.concat(parts), 'a.tar'));
}

async function textOf(store: TarStore, path: string): Promise<string | undefined> {
  await using source: ByteSource | undefined = await store.open(path);
  return source && (await source.read(0, source.size)).toString();
}

test('files are found by their names, however these are written', async () => {
  const long = `${'long/'.repeat(60)}name`;
  await using store = await opened(
    member({ name: './index.json' }, 'index'),
    gnuLong('L', long),
    member({ name: 'cut short' }, 'long'),
    pax([['path', 'from/pax']]),
    member({}, 'pax'),
    member({ name: 'twice' }, 'first'),
    member({ name: '/twice' }, 'last'),
    END,
  );
  expect(await textOf(store, 'index.json')).toBe('index');
  expect(await textOf(store, long)).toBe('long');
  expect(await textOf(store, 'from/pax')).toBe('pax');
  expect(await textOf(store, 'twice')).toBe('last');
  expect(await textOf(store, 'nothing')).toBeUndefined();
});

test('links are followed within the tar, and not for ever', async () => {
  await using store = await opened(
    member({ name: 'there/file' }, 'content'),
    linkMember('hard', 'there/file'),
    symlinkMember('here/soft', '../there/file'),
    symlinkMember('out', '../../../there/file'),
    symlinkMember('away', '/etc/passwd'),
    symlinkMember('round', 'about'),
    symlinkMember('about', 'round'),
    END,
  );
  for (const name of ['hard', 'here/soft', 'out']) expect(await textOf(store, name)).toBe('content');
  expect(await textOf(store, 'away')).toBeUndefined();
  await expect(store.open('round')).rejects.toThrow('a.tar, round: leads from link to link');
});

test('the content of large files is not read to find what is behind them', async () => {
  const tar = Buffer.concat([
    member({ name: 'large' }, Buffer.alloc(64 << 20)),
    member({ name: 'behind' }, 'it'),
    END,
  ]);
  const memory = new MemorySource(tar, 'a.tar');
  let read = 0;
  const counting: ByteSource = {
    label: memory.label,
    size: memory.size,
    read: (position, length) => {
      read += length;
      return memory.read(position, length);
    },
    [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
  };
  await using store = await TarStore.open(counting);
  expect(read).toBeLessThan(1 << 20);
  expect(await textOf(store, 'behind')).toBe('it');
});

test('a tar that ends in a file is refused, with the place', async () => {
  const cut = member({ name: 'blob' }, Buffer.alloc(100_000)).subarray(0, 50_000);
  await expect(opened(member({ name: 'first' }, 'x'), cut)).rejects.toThrow(
    'a.tar, blob at byte 1024: the stream ends at byte 51024',
  );
});

test('a file that is stored with holes is refused where it is wanted', async () => {
  const sparse = [
    pax([
      ['GNU.sparse.major', '0'],
      ['GNU.sparse.minor', '1'],
      ['GNU.sparse.size', '8192'],
      ['GNU.sparse.map', '4096,512'],
    ]),
    header({ name: 'sparse', size: 512 }),
    Buffer.alloc(512),
  ];
  await using store = await opened(...sparse, member({ name: 'whole' }, 'whole'), END);
  expect(await textOf(store, 'whole')).toBe('whole');
  await expect(store.open('sparse')).rejects.toThrow('a.tar, sparse: is stored with holes');
});
