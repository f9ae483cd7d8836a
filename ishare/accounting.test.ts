import { domainState, savedBytes, totals, type CountedInode } from './accounting';

function inode(cachedBytes: number, openedInodes: number): CountedInode {
  return {
    domain: 'd',
    token: 't',
    digest: '00',
    size: cachedBytes,
    images: ['a', 'b'],
    openedInodes,
    openFiles: 0,
    cachedBytes,
  };
}

test('pages count once more for each further inode that opened the content', () => {
  expect(savedBytes(inode(8192, 3))).toBe(16384);
  expect(savedBytes(inode(8192, 1))).toBe(0);
});

test('what nobody has opened saves nothing, and never less than nothing', () => {
  expect(savedBytes(inode(8192, 0))).toBe(0);
});

test('sums run over all inodes', () => {
  const inodes = [inode(4096, 2), inode(8192, 3)];
  expect(totals(inodes)).toEqual({ cachedBytes: 12288, savedBytes: 4096 + 16384 });
  expect(domainState('d', 2, inodes)).toEqual({
    name: 'd',
    images: 2,
    dedup_inodes: 2,
    cached_bytes: 12288,
    saved_bytes: 20480,
  });
});
