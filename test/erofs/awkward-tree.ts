import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK } from '../../erofs/format/dirent';
import { makeDevice, makeNode } from '../../linux/device-node';
import { setXattr } from '../../linux/xattr';

const BIG_DIRECTORY = 5000;
const MANY_SUBDIRECTORIES = 300;

/** POSIX ACL of a file, as getxattr(2) gives it: user::rw-, user:1000:rwx, group::r--, mask::rwx, other::r--. */
const ACCESS_ACL = acl([
  [0x01, 6, 0xffffffff],
  [0x02, 7, 1000],
  [0x04, 4, 0xffffffff],
  [0x10, 7, 0xffffffff],
  [0x20, 4, 0xffffffff],
]);

/** cap_net_raw=ep, as setcap writes it (struct vfs_cap_data, revision 2). */
const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex');

/** Fills an empty directory with what file systems tend to get wrong. */
export function makeAwkwardTree(root: string): void {
  const at = (...parts: string[]): string => join(root, ...parts);
  mkdirSync(at('big'));
  for (let index = 0; index < BIG_DIRECTORY; index++) writeFileSync(at('big', bigName(index)), '');
  mkdirSync(at('parent'));
  for (let index = 0; index < MANY_SUBDIRECTORIES; index++) mkdirSync(at('parent', `sub-${index}`));
  mkdirSync(at('empty-directory'));

  for (const size of [0, 1, 31, 4000, 4095, 4096, 4097, 8191, 8192, 8193, 70_001]) {
    writeFileSync(at(`size-${size}`), patterned(size));
  }
  const sparse = openSync(at('sparse'), 'w');
  writeSync(sparse, patterned(5000), 0, 5000, 200_000);
  writeSync(sparse, patterned(5000), 0, 5000, 900_000);
  closeSync(sparse);
  symlinkSync('a'.repeat(4000), at('link-of-4000'));
  symlinkSync('b'.repeat(4095), at('link-of-4095'));
  symlinkSync('c', at('link-of-1'));
  symlinkSync(Buffer.from([0xff, 0xfe, 0x80]), at('link-to-bytes'));

  makeNode(at('character'), S_IFCHR | 0o600, makeDevice(0xabc, 0x12345));
  makeNode(at('block'), S_IFBLK | 0o640, makeDevice(8, 1));
  makeNode(at('whiteout'), S_IFCHR | 0o000, makeDevice(0, 0));
  makeNode(at('fifo'), S_IFIFO | 0o644);
  makeNode(at('socket'), S_IFSOCK | 0o777);

  writeFileSync(at('linked-1'), 'one inode');
  for (let index = 2; index <= 5; index++) linkSync(at('linked-1'), at(`linked-${index}`));
  linkSync(at('linked-1'), at('parent', 'sub-7', 'linked-deep'));

  writeFileSync(Buffer.concat([Buffer.from(at('raw-')), Buffer.from([0xc3, 0x28, 0xff])]), 'not UTF-8');
  // One byte short of the longest: mkfs.erofs 1.5 cuts a name of 255 bytes and then finds no such file.
  writeFileSync(at(`${'n'.repeat(253)}!`), 'long name');
  for (const name of ['!', '-dash', '..dots', '.hidden', '...']) writeFileSync(at(name), name);

  writeFileSync(at('setuid'), 'x');
  lchownSync(at('setuid'), 4_000_000_000, 3_999_999_999);
  chmodSync(at('setuid'), 0o6755);
  mkdirSync(at('sticky'));
  chmodSync(at('sticky'), 0o1777);

  addXattrs(at);
  const stamp = (when: string, name: string): unknown => execFileSync('touch', ['-h', '-d', when, at(name)]);
  stamp('@1700000000.123456789', 'size-1');
  stamp('@1.000000001', 'fifo');
  stamp('@-86400.5', 'size-31');
  stamp('@5000000000', 'link-of-1');
}

function addXattrs(at: (...parts: string[]) => string): void {
  writeFileSync(at('attributes'), 'with attributes');
  setXattr(at('attributes'), 'user.plain', Buffer.from('value'));
  setXattr(at('attributes'), 'user.empty', Buffer.alloc(0));
  setXattr(at('attributes'), 'user.binary', Buffer.from([0, 255, 0, 128]));
  setXattr(at('attributes'), `user.${'k'.repeat(250)}`, Buffer.from('long name'));
  setXattr(at('attributes'), 'user.big', patterned(1500));
  setXattr(at('attributes'), 'trusted.overlay.opaque', Buffer.from('y'));
  setXattr(at('attributes'), 'security.capability', CAPABILITY);
  setXattr(at('attributes'), 'system.posix_acl_access', ACCESS_ACL);
  setXattr(at('sticky'), 'system.posix_acl_default', ACCESS_ACL);
  setXattr(at('link-of-1'), 'trusted.on-a-link', Buffer.from('t'));
  mkdirSync(at('shared'));
  // mkfs puts what several inodes have into its shared area.
  for (let index = 0; index < 8; index++) {
    writeFileSync(at('shared', `file-${index}`), `${index}`);
    setXattr(at('shared', `file-${index}`), 'user.shared', patterned(900));
    setXattr(at('shared', `file-${index}`), 'security.label', Buffer.from('system_u:object_r:usr_t:s0'));
    setXattr(at('shared', `file-${index}`), 'user.own', Buffer.from(`${index}`));
  }
}

/** Names of several lengths, so that entries fall unevenly into blocks. */
function bigName(index: number): string {
  return `${index.toString(36)}-${'x'.repeat(index % 47)}`;
}

/** Bytes that differ from block to block. */
export function patterned(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 7 + (at >>> 8) * 31 + 1) & 0xff));
}

function acl(entries: readonly (readonly [tag: number, permissions: number, id: number])[]): Buffer {
  const value = Buffer.alloc(4 + 8 * entries.length);
  value.writeUInt32LE(2, 0);
  entries.forEach(([tag, permissions, id], index) => {
    value.writeUInt16LE(tag, 4 + 8 * index);
    value.writeUInt16LE(permissions, 6 + 8 * index);
    value.writeUInt32LE(id, 8 + 8 * index);
  });
  return value;
}
