import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { makeDevice, makeNode } from '../../linux/device-node';
import { setXattr } from '../../linux/xattr';
import { writeOciArchive, type WrittenImage } from '../../scripts/oci/oci-archive';
import { busybox } from './host-programs';
import { noise } from './noise';

const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;
const S_IFIFO = 0o010000;

/**
 * An image with everything that a layer can hold and a snapshotter can get wrong: kinds of files, owners beyond 16
 * bits, times with nanoseconds and before 1970, hard links, sparse files, long and non-UTF-8 names, extended
 * attributes and ACLs, and in two more layers whiteouts, opaque directories, files that replace directories and the
 * other way round, and a file that changes without changing its size. `directory` is the caller's; root is needed.
 */
export async function makeDemandingImage(directory: string): Promise<WrittenImage> {
  const [first, second, third] = ['layer-1', 'layer-2', 'layer-3'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  for (const layer of [first, second, third]) mkdirSync(layer);
  fillFirst(first);
  fillSecond(second);
  fillThird(third);
  return writeOciArchive(
    {
      reference: 'harness.local/demanding:1',
      layers: [
        { entries: await busybox() },
        { directory: first },
        { directory: second },
        { directory: third },
      ],
      config: { entrypoint: ['/bin/sleep', '1000000'] },
      compressionLevel: 1,
    },
    join(directory, 'demanding.tar'),
  );
}

/** Kinds of files and all that their metadata can be. */
function fillFirst(root: string): void {
  const at = (name: string): string => join(root, name);
  for (const name of [
    'bin',
    'dev',
    'proc',
    'sys',
    'tmp',
    'kinds',
    'owners',
    'times',
    'names',
    'xattrs',
    'many',
  ]) {
    mkdirSync(at(name));
  }
  chmodSync(at('tmp'), 0o1777);
  for (const size of [0, 1, 100, 4000, 4095, 4096, 4097, 8192, 100_001]) {
    writeFileSync(at(`kinds/file-${size}`), noise(`file ${size}`, size));
  }
  linkSync(at('kinds/file-4097'), at('kinds/hard-link'));
  linkSync(at('kinds/file-4097'), at('many/hard-link-elsewhere'));
  linkSync(at('kinds/file-0'), at('kinds/empty-hard-link'));
  writeFileSync(at('kinds/sparse'), 'head');
  truncateSync(at('kinds/sparse'), 5 << 20);
  symlinkSync('file-1', at('kinds/symlink'));
  symlinkSync('x'.repeat(4000), at('kinds/long-symlink'));
  symlinkSync('/nowhere', at('kinds/dangling'));
  makeNode(at('kinds/character'), S_IFCHR | 0o620, makeDevice(1, 3));
  makeNode(at('kinds/large-minor'), S_IFCHR | 0o600, makeDevice(10, 70_000));
  makeNode(at('kinds/block'), S_IFBLK | 0o660, makeDevice(7, 3));
  makeNode(at('kinds/fifo'), S_IFIFO | 0o644);
  for (const mode of [0o4755, 0o2755, 0o6711, 0o1777, 0, 0o200]) {
    writeFileSync(at(`owners/mode-${mode.toString(8)}`), 'mode');
    chmodSync(at(`owners/mode-${mode.toString(8)}`), mode);
  }
  for (const [uid, gid] of [
    [1000, 1000],
    [65_536, 1],
    [1, 3_000_000_000],
  ] as const) {
    writeFileSync(at(`owners/${uid}-${gid}`), 'owner');
    chownSync(at(`owners/${uid}-${gid}`), uid, gid);
  }
  for (const seconds of [0, -1_000_000, 1, 1_234_567_890.5, 4_000_000_000, 2_147_483_648]) {
    writeFileSync(at(`times/at-${seconds}`), 'time');
    // As Dates, since utimes takes a negative number for the present moment.
    utimesSync(at(`times/at-${seconds}`), new Date(seconds * 1000), new Date(seconds * 1000));
  }
  symlinkSync('target', at('times/symlink'));
  lutimesSync(at('times/symlink'), 1_000_000_001, 1_000_000_001);
  writeFileSync(at(`names/${'n'.repeat(255)}`), 'long');
  writeFileSync(Buffer.concat([Buffer.from(at('names/')), Buffer.from([0xff, 0xfe, 0x80])]), 'not UTF-8');
  for (const name of ['with space', 'new\nline', 'back\\slash', 'comma,colon:', '…', '.hidden', '..double']) {
    writeFileSync(at(`names/${name}`), name);
  }
  mkdirSync(join(at('names'), ...Array.from({ length: 12 }, (_, depth) => `${'d'.repeat(100)}${depth}`)), {
    recursive: true,
  });
  for (let index = 0; index < 1500; index++) writeFileSync(at(`many/file-${index}`), `${index}`);
  writeFileSync(at('xattrs/user'), 'x');
  setXattr(at('xattrs/user'), 'user.plain', Buffer.from('value'));
  setXattr(at('xattrs/user'), 'user.empty', Buffer.alloc(0));
  setXattr(at('xattrs/user'), 'user.binary', Buffer.from([0, 1, 0xff, 0x0a, 0x3d]));
  setXattr(at('xattrs/user'), 'trusted.kept', Buffer.from('root only'));
  writeFileSync(at('xattrs/capability'), 'x');
  // vfs_cap_data, revision 2: CAP_NET_BIND_SERVICE permitted and effective (include/uapi/linux/capability.h).
  const capability = Buffer.alloc(20);
  capability.writeUInt32LE(0x02000001, 0);
  capability.writeUInt32LE(1 << 10, 4);
  setXattr(at('xattrs/capability'), 'security.capability', capability);
  writeFileSync(at('xattrs/acl'), 'x');
  mkdirSync(at('xattrs/default-acl'));
  execFileSync('setfacl', ['-m', 'u:1234:rw,g:99:r', at('xattrs/acl')]);
  execFileSync('setfacl', ['-d', '-m', 'u:1234:rwx', at('xattrs/default-acl')]);
  for (const name of ['goes', 'opaque', 'opaque/inner', 'becomes-file', 'stays', 'emptied', 'moved'])
    mkdirSync(at(name));
  for (const name of [
    'goes/with-directory',
    'opaque/hidden',
    'opaque/inner/hidden',
    'becomes-file/x',
    'stays/old',
  ]) {
    writeFileSync(at(name), name);
  }
  writeFileSync(at('stays/removed'), 'removed');
  writeFileSync(at('stays/rewritten'), 'AAAA');
  writeFileSync(at('emptied/x'), 'x');
  writeFileSync(at('becomes-directory'), 'x');
  writeFileSync(at('becomes-symlink'), 'x');
  writeFileSync(at('moved/x'), 'x');
}

/** Removals and replacements, written as layers write them. */
function fillSecond(root: string): void {
  const at = (name: string): string => join(root, name);
  for (const name of ['opaque', 'stays', 'emptied', 'becomes-directory', 'new']) mkdirSync(at(name));
  writeFileSync(at('.wh.goes'), '');
  writeFileSync(at('opaque/.wh..wh..opq'), '');
  writeFileSync(at('opaque/visible'), 'visible');
  writeFileSync(at('stays/.wh.removed'), '');
  writeFileSync(at('stays/rewritten'), 'BBBB');
  writeFileSync(at('emptied/.wh.x'), '');
  writeFileSync(at('becomes-file'), 'file');
  writeFileSync(at('becomes-directory/x'), 'x');
  symlinkSync('stays', at('becomes-symlink'));
  writeFileSync(at('new/file'), 'new');
  chmodSync(at('stays'), 0o700);
  chownSync(at('stays'), 5, 6);
}

/** Things come back, and a metadata-only change of a directory. */
function fillThird(root: string): void {
  const at = (name: string): string => join(root, name);
  for (const name of ['goes', 'stays', 'emptied', 'new']) mkdirSync(at(name));
  writeFileSync(at('goes/is-back'), 'back');
  writeFileSync(at('stays/removed'), 'and back again');
  writeFileSync(at('.wh.moved'), '');
  writeFileSync(at('new/file'), 'newer');
  linkSync(at('new/file'), at('new/linked'));
  utimesSync(at('emptied'), 1_500_000_000, 1_500_000_000);
}
