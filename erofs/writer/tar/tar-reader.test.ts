import { MalformedTarError, UnsupportedTarError } from './errors';
import { HEADER, TYPE } from './header';
import {
  directoryMember,
  END,
  GNU_MAGIC,
  gnuLong,
  header,
  linkMember,
  member,
  OLD_MAGIC,
  padded,
  pax,
  symlinkMember,
} from './testing/craft-tar';
import { failureOf, ReadLayer } from './testing/read-layer';

describe('headers', () => {
  test('of all types', async () => {
    using layer = await ReadLayer.ofBytes(
      member({ name: 'file', mode: 0o4755, uid: 1, gid: 2, mtime: 3 }, 'text'),
      member({ name: 'old', type: TYPE.OLD_FILE, magic: OLD_MAGIC }, 'older'),
      member({ name: 'old-directory/', type: TYPE.OLD_FILE, magic: OLD_MAGIC }),
      member({ name: 'contiguous', type: TYPE.CONTIGUOUS_FILE }, 'one piece'),
      symlinkMember('symlink', 'target'),
      linkMember('link', 'file'),
      header({ name: 'char', type: TYPE.CHARACTER_DEVICE, major: 4095, minor: 1_048_575 }),
      header({ name: 'block', type: TYPE.BLOCK_DEVICE, major: 8, minor: 1 }),
      directoryMember('directory'),
      header({ name: 'fifo', type: TYPE.FIFO }),
      member({ name: 'dump', type: TYPE.GNU_DUMP_DIRECTORY, magic: GNU_MAGIC }, 'Yfile\0\0'),
      member({ name: 'the label', type: TYPE.GNU_VOLUME, magic: GNU_MAGIC }),
      END,
    );
    const kinds = layer.paths.map((path) => `${path} ${layer.at(path).kind}`);
    expect(kinds).toEqual([
      'block block device',
      'char character device',
      'contiguous file',
      'directory/ directory',
      'dump/ directory',
      'fifo fifo',
      'file file',
      'link file',
      'old file',
      'old-directory/ directory',
      'symlink symlink',
    ]);
    expect(layer.at('file')).toMatchObject({ permissions: 0o4755, uid: 1, gid: 2, mtime: { seconds: 3 } });
    expect(layer.at('char')).toMatchObject({ major: 4095, minor: 1_048_575 });
    expect(['file', 'old', 'contiguous', 'symlink'].map((path) => layer.text(path))).toEqual([
      'text',
      'older',
      'one piece',
      'target',
    ]);
  });

  test('of what has no content may have a size', async () => {
    using layer = await ReadLayer.ofBytes(
      member({ name: 'file' }, 'text'),
      header({ name: 'link', type: TYPE.LINK, link: 'file', size: 4 }),
      directoryMember('directory', { size: 4096 }),
      member({ name: 'last' }, 'text'),
      END,
    );
    expect(layer.paths).toEqual(['directory/', 'file', 'last', 'link']);
  });

  test('names of 100 bytes fill their field, and prefixes stand before them', async () => {
    const long = 'n'.repeat(100);
    const prefix = `${'p'.repeat(77)}/${'q'.repeat(77)}`;
    using layer = await ReadLayer.ofBytes(
      member({ name: long }),
      member({ name: long, prefix }, 'ustar'),
      member({ name: 'a', prefix: 'star', raw: { [HEADER.starTrailer.offset]: 'tar\0' } }, 'star'),
      // The oldest format has something else there, or nothing.
      member({ name: 'b', prefix: 'junk', magic: OLD_MAGIC }, 'old'),
      END,
    );
    expect(layer.text(`${prefix}/${long}`)).toBe('ustar');
    expect(layer.text('star/a')).toBe('star');
    expect(layer.text('b')).toBe('old');
    expect(layer.at(long).kind).toBe('file');
  });

  test('of GNU tar have times in place of a prefix, unless Go before 1.8 wrote them', async () => {
    const times = '14422115163\0' + '14422115163\0';
    using layer = await ReadLayer.ofBytes(
      member({ name: 'gnu', magic: GNU_MAGIC, prefix: times }, 'gnu'),
      member({ name: 'file', magic: GNU_MAGIC, prefix: 'usr/share/go' }, 'go'),
      END,
    );
    expect(layer.text('gnu')).toBe('gnu');
    expect(layer.text('usr/share/go/file')).toBe('go');
  });

  test('numbers may be binary, and times negative', async () => {
    using layer = await ReadLayer.ofBytes(
      member(
        {
          name: 'file',
          magic: GNU_MAGIC,
          raw: {
            [HEADER.uid.offset]: Buffer.from('80000000fffffffe', 'hex'),
            [HEADER.mtime.offset]: Buffer.from('ffffffffffffffffffffff00', 'hex'),
            [HEADER.size.offset]: Buffer.from('800000000000000000000003', 'hex'),
          },
        },
        'abc',
      ),
      END,
    );
    expect(layer.at('file')).toMatchObject({ uid: 2 ** 32 - 2, mtime: { seconds: -256, nanoseconds: 0 } });
    expect(layer.text('file')).toBe('abc');
  });

  test('may have a checksum of signed bytes', async () => {
    const block = header({ name: Buffer.from('\u00ff\u00fe', 'latin1') });
    const { offset } = HEADER.checksum;
    const sum = Number.parseInt(block.toString('latin1', offset, offset + 6), 8) - 2 * 256;
    block.write(sum.toString(8).padStart(6, '0'), offset);
    using layer = await ReadLayer.ofBytes(block, END);
    expect(layer.paths).toEqual(['\u00ff\u00fe']);
  });
});

describe('extended headers', () => {
  test('of GNU tar give long names and targets', async () => {
    const name = `${'d'.repeat(200)}/${'n'.repeat(255)}`;
    const target = 't'.repeat(3000);
    using layer = await ReadLayer.ofBytes(
      gnuLong(TYPE.GNU_LONG_NAME, name),
      gnuLong(TYPE.GNU_LONG_LINK, target),
      symlinkMember(name.slice(0, 100), target.slice(0, 100)),
      gnuLong(TYPE.GNU_LONG_LINK, name),
      linkMember('link', name.slice(0, 100)),
      END,
    );
    expect(layer.text(name)).toBe(target);
    expect(layer.at('link')).toBe(layer.at(name));
  });

  test('PAX records take the place of fields, and hold for one entry', async () => {
    using layer = await ReadLayer.ofBytes(
      pax([
        ['path', 'dir/real'],
        ['size', '5'],
        ['uid', '4294967294'],
        ['gid', '65536'],
        ['mtime', '-1.25'],
        ['comment', 'nothing'],
      ]),
      header({ name: 'short', raw: { [HEADER.uid.offset]: 'no uid!\0' } }),
      padded('12345'),
      pax([['linkpath', 'dir/real']]),
      linkMember('link', 'x'),
      member({ name: 'next' }, 'next'),
      END,
    );
    expect(layer.text('dir/real')).toBe('12345');
    expect(layer.at('dir/real')).toMatchObject({
      uid: 2 ** 32 - 2,
      gid: 65536,
      mtime: { seconds: -2, nanoseconds: 750_000_000 },
    });
    expect(layer.at('link')).toBe(layer.at('dir/real'));
    expect(layer.at('next')).toMatchObject({ uid: 0, mtime: { seconds: 1_700_000_000 } });
  });

  test('global records hold for all that follow, until they are taken back', async () => {
    using layer = await ReadLayer.ofBytes(
      member({ name: 'before' }),
      pax(
        [
          ['uid', '7'],
          ['mtime', '1.5'],
          ['SCHILY.xattr.user.all', 'a'],
          ['comment', 'commit'],
        ],
        TYPE.PAX_GLOBAL,
      ),
      member({ name: 'a' }),
      pax([
        ['uid', '8'],
        ['SCHILY.xattr.user.own', 'o'],
        ['mtime', ''],
      ]),
      member({ name: 'b' }),
      pax([['uid', '']], TYPE.PAX_GLOBAL),
      member({ name: 'c' }),
      END,
    );
    expect(layer.at('before')).toMatchObject({ uid: 0 });
    expect(layer.at('a')).toMatchObject({ uid: 7, mtime: { seconds: 1, nanoseconds: 500_000_000 } });
    expect(layer.at('b')).toMatchObject({ uid: 8, mtime: { seconds: 1_700_000_000 } });
    expect(layer.at('c')).toMatchObject({ uid: 0, mtime: { seconds: 1, nanoseconds: 500_000_000 } });
    expect(layer.xattrs('b')).toEqual({ 'user.all': 'a', 'user.own': 'o' });
    expect(layer.xattrs('c')).toEqual({ 'user.all': 'a' });
  });

  test('names that are not UTF-8 stay as they are', async () => {
    const name = Buffer.from([0x61, 0xff, 0xfe, 0x2f, 0x80, 0xc3]);
    using layer = await ReadLayer.ofBytes(
      pax([
        ['hdrcharset', 'BINARY'],
        ['path', name],
      ]),
      member({}, 'pax'),
      member({ name: Buffer.from([0xe9]) }, 'header'),
      pax([['linkpath', name]]),
      symlinkMember('link', 'x'),
      END,
    );
    expect(layer.text('a\u00ff\u00fe/\u0080\u00c3')).toBe('pax');
    expect(layer.text('\u00e9')).toBe('header');
    expect(layer.text('link')).toBe(name.toString('latin1'));
  });

  test('extended attributes come in the forms of star and libarchive, byte for byte', async () => {
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
    using layer = await ReadLayer.ofBytes(
      pax([
        ['SCHILY.xattr.security.capability', capability],
        [
          'LIBARCHIVE.xattr.user.with%20space%ff',
          Buffer.from([0, 255, 10]).toString('base64').replace(/=+$/, ''),
        ],
        ['SCHILY.xattr.user.a%3Db%2525', 'x=y\nz'],
        ['SCHILY.xattr.user.empty', ''],
        ['LIBARCHIVE.creationtime', '5'],
        ['SCHILY.acl.access', 'user::rwx,group::r-x,other::r-x'],
      ]),
      member({ name: 'file' }),
      END,
    );
    expect(layer.xattrs('file')).toEqual({
      'security.capability': capability.toString('latin1'),
      'user.with space\u00ff': '\u0000\u00ff\n',
      'user.a=b%25': 'x=y\nz',
      'user.empty': '',
    });
  });
});

describe('the end', () => {
  const file = member({ name: 'file' }, 'text');

  test.each([
    ['two blocks of zeros', [file, END]],
    ['one block of zeros', [file, END.subarray(512)]],
    ['nothing', [file]],
    ['anything behind two blocks of zeros', [file, END, Buffer.alloc(700, 'x')]],
  ])('is %s', async (_, parts) => {
    using layer = await ReadLayer.ofBytes(...parts);
    expect(layer.paths).toEqual(['file']);
  });

  test.each([
    [
      'in a header',
      [file, file.subarray(0, 511)],
      'the stream ends at byte 1535: a header of 511 bytes',
      1024,
    ],
    [
      'in content',
      [member({ name: 'f' }, 'x'.repeat(2000)).subarray(0, 2000)],
      'the stream ends at byte 2000: 512 bytes of content are missing',
      0,
    ],
    ['in the padding', [file.subarray(0, 1000)], 'the stream ends at byte 1000: the padding is cut short', 0],
    [
      'before the padding',
      [file.subarray(0, 516)],
      'the stream ends at byte 516: the padding is cut short',
      0,
    ],
    ['in zeros', [file, Buffer.alloc(600)], 'the stream ends at byte 1624: a header of 88 bytes', 1024],
    [
      'in an extended header',
      [pax([['path', 'x'.repeat(600)]]).subarray(0, 1000)],
      'the stream ends at byte 1000: 122 bytes are missing',
      0,
    ],
    [
      'behind an extended header',
      [pax([['path', 'x']])],
      'ends behind an extended header, before the entry it is for',
      1024,
    ],
    [
      'at zeros behind a long name',
      [gnuLong(TYPE.GNU_LONG_NAME, 'x'), END],
      'ends behind an extended header, before the entry it is for',
      1024,
    ],
  ])('%s is an error', async (_, parts, problem, offset) => {
    const error = await failureOf(...parts);
    expect(error).toBeInstanceOf(MalformedTarError);
    expect(error).toMatchObject({ problem, offset });
  });
});

describe('errors name the entry and where it is', () => {
  const first = member({ name: 'first' }, 'x');
  const wrongSum = header({ name: 'bad' });
  wrongSum[0] = 0x42;

  test.each<[string, Buffer[], string, string | undefined]>([
    ['a wrong checksum', [wrongSum], 'no header of a tar is here: its checksum is wrong', undefined],
    [
      'no header at all',
      [Buffer.alloc(512, 'garbage')],
      'no header of a tar is here: its checksum is wrong',
      undefined,
    ],
    [
      'one block of zeros',
      [END.subarray(512), first],
      'one block of zeros, where two would be the end',
      undefined,
    ],
    [
      'a field that is no number',
      [header({ name: 'bad', raw: { 136: 'yesterday\0' } })],
      'mtime: "yesterday" is no octal number',
      'bad',
    ],
    [
      'a negative size',
      [header({ name: 'bad', raw: { 124: Buffer.alloc(12, 0xff) } })],
      'a size of -1 bytes',
      'bad',
    ],
    [
      'a negative owner',
      [header({ name: 'bad', raw: { 108: Buffer.alloc(8, 0xff) } })],
      'a uid of -1',
      'bad',
    ],
    [
      'an owner beyond 32 bits',
      [pax([['gid', '4294967296']]), header({ name: 'bad' })],
      'a gid of 4294967296',
      'bad',
    ],
    [
      'a PAX time that is none',
      [pax([['mtime', 'x']]), header({ name: 'bad' })],
      'mtime: "x" is no time',
      'bad',
    ],
    [
      'a PAX size that is none',
      [pax([['size', '-5']]), header({ name: 'bad' })],
      'size: "-5" is no number that fits here',
      'bad',
    ],
    [
      'an attribute without a name',
      [pax([['SCHILY.xattr.', 'x']]), header({ name: 'bad' })],
      'extended attributes: "SCHILY.xattr." names no extended attribute',
      'bad',
    ],
    [
      'a broken PAX header',
      [member({ type: TYPE.PAX }, '5 x\n')],
      'extended header: a record of an extended header has no length (byte 0 of the header)',
      undefined,
    ],
    [
      'an extended header beyond 1 MiB',
      [header({ type: TYPE.PAX, size: 1024 * 1024 + 1 })],
      'an extended header of 1048577 bytes; at most 1048576 are read',
      undefined,
    ],
    [
      'global records beyond 64 KiB',
      [pax([['comment', 'x'.repeat(65536)]], TYPE.PAX_GLOBAL)],
      'extended header: global records of more than 65536 bytes',
      undefined,
    ],
  ])('%s', async (_, parts, problem, entry) => {
    const error = await failureOf(first, ...parts, END);
    expect(error).toBeInstanceOf(MalformedTarError);
    const ofEntry = parts.length > 1 && entry !== undefined;
    expect(error).toMatchObject({ problem, entry, offset: 1024 + (ofEntry ? parts[0]!.length : 0) });
    expect((error as Error).message).toContain('layer.tar, ');
  });

  test('types that no layer has are named', async () => {
    const error = await failureOf(first, header({ name: 'rest', type: 'M' }), END);
    expect(error).toBeInstanceOf(UnsupportedTarError);
    expect(error).toMatchObject({
      entry: 'rest',
      offset: 1024,
      problem: 'entries of type "M" are not known here',
    });
  });

  test('names of a megabyte are cut', async () => {
    const error = await failureOf(pax([['path', 'n'.repeat(1_000_000)]]), header({}), END);
    expect((error as Error).message.length).toBeLessThan(600);
  });
});
