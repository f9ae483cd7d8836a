import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { mount, unmount } from '../linux/mount';
import { clearStaleMounts } from './stale-mounts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'ishare-mounts-'));
});

afterEach(() => rm(directory, { recursive: true }));

test('a directory with nothing mounted needs no clearing', async () => {
  expect(await clearStaleMounts(directory, 'fuse.ishare')).toBe(0);
});

test('what is no mount of this program is not cleared', async () => {
  mount('none', directory, 'tmpfs', 0, '');
  try {
    await expect(clearStaleMounts(directory, 'fuse.ishare')).rejects.toThrow(
      `${directory}: a file system of type tmpfs`,
    );
  } finally {
    unmount(directory);
  }
});
