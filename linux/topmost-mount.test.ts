import { parseMountTable } from './mount-table';
import { topmostMount } from './topmost-mount';

const table = parseMountTable(
  [
    '20 1 8:1 / / rw - ext4 /dev/sda1 rw',
    '50 20 0:41 / /a ro - fuse.second second ro',
    // Numbers are given out again: a later mount may have a smaller one, and stand before.
    '30 50 0:42 / /a ro - fuse.third third ro',
    '60 20 0:43 / /a/b ro - fuse.below below ro',
  ].join('\n'),
);

test('of mounts that are stacked, the one on which none lies is the topmost', () => {
  expect(topmostMount(table, '/a')?.source).toBe('third');
  expect(topmostMount(table, '/a/b')?.source).toBe('below');
  expect(topmostMount(table, '/')?.source).toBe('/dev/sda1');
});

test('where nothing is mounted there is none, whatever is mounted below or above', () => {
  expect(topmostMount(table, '/a/b/c')).toBeUndefined();
  expect(topmostMount([], '/')).toBeUndefined();
});
