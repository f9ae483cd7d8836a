import { TYPE } from '../../erofs/writer/tar/header';
import {
  directoryMember,
  END,
  GNU_MAGIC,
  gnuLong,
  header,
  linkMember,
  member,
  padded,
  pax,
  symlinkMember,
} from '../../erofs/writer/tar/testing/craft-tar';
import { noise } from './noise';
import { LONG } from '../../linux/testing/long-trials';

/** So many empty files: enough that they do not come in one piece of anything. */
const EMPTY_FILES = LONG ? 100_000 : 2_000;
const LARGE = (LONG ? 2000 : 20) * 2 ** 20;

const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');

/**
 * What no well-behaved builder makes and containerd unpacks all the same: the tars of layers, the lowest first, each in pieces, since
 * together they may be longer than what a hash takes at once.
 */
export function awkwardLayers(): Buffer[][] {
  return [lowest(), middle(), highest()].map((members) => [...members, END]);
}

function lowest(): Buffer[] {
  return [
    directoryMember('./', { mode: 0o700, uid: 9 }),
    ...['etc', 'opaque', 'opaque/sub', 'becomes-file', 'emptied', 'deep', 'deep/down'].map((name) =>
      directoryMember(name, { mode: 0o1751, uid: 3, gid: 4, mtime: 1_000_000_000 }),
    ),
    ...[
      'gone',
      'opaque/old',
      'opaque/sub/old',
      'becomes-directory',
      'becomes-file/x',
      'emptied/x',
      'back',
      'both',
    ].map((name) => member({ name, mtime: 1_000_000_001 }, `old ${name}`)),
    ...Array.from({ length: EMPTY_FILES }, (_, index) => member({ name: `many/${index % 100}/${index}` })),
    member({ name: 'large' }, noise('large', LARGE)),
    member({ name: '.wh.nothing-below' }),
  ];
}

function middle(): Buffer[] {
  return [
    pax([['SCHILY.xattr.user.global', 'ignored']], TYPE.PAX_GLOBAL),
    member({ name: './etc/deep/file' }, 'x'),
    member({ name: 'deep/down/new' }, 'x'),
    member({ name: '/absolute/file' }, 'x'),
    member({ name: '../../above/file' }, 'x'),
    member({ name: 'a/../beside/file' }, 'x'),
    symlinkMember('relative', 'real/directory'),
    member({ name: 'relative/file' }, 'x'),
    symlinkMember('up', '../../../../escaped'),
    member({ name: 'up/file' }, 'x'),
    member({ name: 'twice' }, 'first'),
    member({ name: 'twice', mode: 0o600 }, 'second'),
    member({ name: 'directory-goes/file' }, 'x'),
    member({ name: 'directory-goes' }, 'a file'),
    member({ name: 'file-goes' }, 'a file'),
    directoryMember('file-goes'),
    member({ name: 'file-goes/file' }, 'x'),
    directoryMember('again', { uid: 1 }),
    member({ name: 'again/file' }, 'x'),
    directoryMember('again/', { uid: 2, mode: 0o711 }),
    member({ name: 'hard' }, 'linked'),
    linkMember('links/hard', '/hard'),
    linkMember('links/further/hard', './links/hard'),
    symlinkMember('symlink', 'nowhere'),
    header({ name: 'hard-symlink', type: TYPE.LINK, link: 'symlink' }),
    member({ name: 'replaced' }, 'old'),
    linkMember('keeps', 'replaced'),
    member({ name: 'replaced' }, 'new'),
    member({ name: '.wh.gone' }),
    member({ name: '.wh.back' }),
    member({ name: 'back' }, 'added'),
    member({ name: 'opaque/new' }, 'x'),
    member({ name: 'opaque/.wh..wh..opq' }),
    member({ name: 'opaque/sub/file' }, 'x'),
    member({ name: 'becomes-file' }, 'a file now'),
    directoryMember('becomes-directory'),
    member({ name: 'becomes-directory/x' }, 'x'),
    member({ name: 'emptied/.wh.x' }),
  ];
}

function highest(): Buffer[] {
  const name = 'n'.repeat(200);
  return [
    directoryMember('becomes-file'),
    member({ name: 'becomes-file/again' }, 'x'),
    member({ name: 'becomes-directory' }, 'a file again'),
    gnuLong(TYPE.GNU_LONG_NAME, `gnu/${name}/${name}`),
    member({ magic: GNU_MAGIC }, 'long'),
    pax([['path', `pax/${name}/\u00e9${name}`]]),
    member({}, 'long'),
    gnuLong(TYPE.GNU_LONG_LINK, `target/${name}/${name}`),
    header({ name: 'long-link', type: TYPE.SYMLINK, magic: GNU_MAGIC }),
    member({ name: Buffer.from([0x62, 0x79, 0x74, 0x65, 0xff, 0xfe, 0x80]) }, 'not UTF-8'),
    pax([
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
      ['GNU.sparse.name', 'sparse'],
      ['GNU.sparse.realsize', '5000000'],
    ]),
    member({}, Buffer.concat([padded('2\n0\n3\n4999999\n1\n'), Buffer.from('abcd')])),
    pax([
      ['SCHILY.xattr.user.kept', Buffer.from([0, 1, 0xff])],
      ['SCHILY.xattr.security.capability', capability],
      ['SCHILY.xattr.trusted.left-out', 'x'],
    ]),
    member({ name: 'program', mode: 0o6755, uid: 1000 }, 'x'),
    header({ name: 'character', type: TYPE.CHARACTER_DEVICE, major: 1, minor: 3, mode: 0o620 }),
    header({ name: 'block', type: TYPE.BLOCK_DEVICE, major: 7, minor: 70_000 }),
    header({ name: 'fifo', type: TYPE.FIFO, mode: 0o600 }),
    ...['-1.5', '0', '0.000000001', '2147483648.25', '4000000000', '9000000000', '9300000000'].flatMap(
      (time) => [pax([['mtime', time]]), member({ name: `times/${time}` }, time)],
    ),
    pax([
      ['uid', '3000000000'],
      ['gid', '65536'],
    ]),
    member({ name: 'owned' }, 'x'),
  ];
}
