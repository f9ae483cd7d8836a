import type { InodeState } from '../../proto/admin-messages';
import { inodeColumns } from './inodes';
import { formatTable } from './output';

test('an inode of one file alone is told apart from shared ones', () => {
  const shared: InodeState = {
    fingerprint: `sha256:${'0'.repeat(64)}`,
    domain: 'red',
    size: 1,
    images: 1,
    open_files: 0,
    cached_bytes: 4096,
    saved_bytes: 0,
  };
  const [, first, second] = formatTable(inodeColumns, [shared, { ...shared, fingerprint: '' }]).split('\n');
  expect(first).toMatch(/^sha256:0{64} +red /);
  expect(second).toMatch(/^\(own, unverified\) +red /);
});
