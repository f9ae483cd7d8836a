import { parseMountTable } from './mount-table';
import { isBelow, mountOf, originOf } from './mount-origin';

const table = parseMountTable(
  [
    '1 0 8:1 / / rw - ext4 d rw',
    '2 1 8:2 /@var /var rw - btrfs d rw',
    '3 2 0:9 / /var/lib rw - tmpfs first rw',
    '4 3 0:10 / /var/lib rw - tmpfs second rw',
    '',
  ].join('\n'),
);

test('a path lies in the mount with the longest target, and in the later one of two', () => {
  expect(mountOf(table, '/variable')?.target).toBe('/');
  expect(mountOf(table, '/var')?.type).toBe('btrfs');
  expect(mountOf(table, '/var/lib/x')?.source).toBe('second');
});

test('where a directory lies is told as the root of a bind mount of it', () => {
  expect(originOf(table, '/var/cache/x')).toEqual({ device: '8:2', inside: '/@var/cache/x' });
  expect(originOf(table, '/home')).toEqual({ device: '8:1', inside: '/home' });
  expect(originOf([], '/home')).toBeUndefined();
});

test('a directory is below itself and its parents, and a longer name is not', () => {
  expect(isBelow('/a/b', '/a/b')).toBe(true);
  expect(isBelow('/a/b/c', '/a/b')).toBe(true);
  expect(isBelow('/a/bc', '/a/b')).toBe(false);
  expect(isBelow('/a', '/')).toBe(true);
});
