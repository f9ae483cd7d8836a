import { lookAtStorage, storageFindings } from './storage';
import { parseMountTable } from '../../../linux/mount-table';

function levels(look: Partial<Parameters<typeof storageFindings>[0]>): string[] {
  return storageFindings({ root: '/r', type: 'ext4', freeBytes: 0.5, freeInodes: 0.5, ...look }).map(
    ({ level, what }) => `${level}: ${what}`,
  );
}

test('a file system with room, one that is nearly full, and one without a number of inodes', () => {
  const fit = 'ok: ext4 can hold upper layers';
  expect(levels({})).toEqual([fit, 'ok: enough free bytes', 'ok: enough free inodes']);
  expect(levels({ freeBytes: 0.04 })).toEqual([fit, 'note: few free bytes', 'ok: enough free inodes']);
  expect(levels({ freeInodes: undefined })).toEqual([fit, 'ok: enough free bytes']);
});

test.each(['overlay', 'fuse.sshfs', 'nfs4'])('%s cannot hold upper layers', (type) => {
  expect(levels({ type })[0]).toBe(`problem: a file system of type ${type}`);
});

test.each(['tmpfs', 'xfs', 'btrfs', 'fuseblk'])('%s can', (type) => {
  expect(levels({ type })[0]).toBe(`ok: ${type} can hold upper layers`);
});

test('a file system whose server may be dead is not asked for its room', async () => {
  const table = parseMountTable('1 0 0:5 / / rw - ext4 d rw\n2 1 0:6 / /proc rw - fuse.x s rw\n');
  expect(await lookAtStorage('/proc/self', table)).toEqual({
    root: '/proc/self',
    type: 'fuse.x',
    freeBytes: undefined,
    freeInodes: undefined,
  });
});
