import { ImpossibleEntryError } from './errors';
import { TYPE } from './header';
import { directoryMember, END, header, linkMember, member, pax, symlinkMember } from './testing/craft-tar';
import { failureOf, ReadLayer } from './testing/read-layer';

const OPAQUE = { 'trusted.overlay.opaque': 'y' };

describe('names lie inside the root', () => {
  test.each([
    ['./a/b', 'a/b'],
    ['/a/b', 'a/b'],
    ['a//b/', 'a/b'],
    ['a/./b', 'a/b'],
    ['../../b', 'b'],
    ['a/../../b', 'b'],
    ['a/../b', 'b'],
    ['/../a/..b/...', 'a/..b/...'],
  ])('%s is %s', async (name, path) => {
    using layer = await ReadLayer.ofBytes(directoryMember(name, { uid: 7 }), END);
    expect(layer.at(path)).toMatchObject({ kind: 'directory', uid: 7 });
  });

  test.each(['./', '/', '', '.', 'a/..'])('%j is the root', async (name) => {
    using layer = await ReadLayer.ofBytes(directoryMember(name, { mode: 0o1700, uid: 3, mtime: 5 }), END);
    expect(layer.root).toMatchObject({ permissions: 0o1700, uid: 3, mtime: { seconds: 5 } });
    expect(layer.paths).toEqual([]);
  });

  test('nothing but a directory is the root', async () => {
    expect(await failureOf(symlinkMember('./', 'a'))).toEqual(
      expect.objectContaining({
        name: 'ImpossibleEntryError',
        problem: 'the name is that of the root, which cannot be a symlink',
      }),
    );
  });
});

describe('directories that no entry is about', () => {
  test('are made with 0755, root and time 0, and keep an entry that comes late', async () => {
    using layer = await ReadLayer.ofBytes(
      member({ name: 'a/b/c/file', uid: 5 }, 'x'),
      directoryMember('a/b', { mode: 0o2711, gid: 9 }),
      END,
    );
    expect(layer.paths).toEqual(['a/', 'a/b/', 'a/b/c/', 'a/b/c/file']);
    const implied = { permissions: 0o755, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 }, xattrs: [] };
    expect(layer.at('a')).toMatchObject(implied);
    expect(layer.at('a/b')).toMatchObject({ permissions: 0o2711, gid: 9 });
    expect(layer.at('a/b/c')).toMatchObject(implied);
  });

  test('are not made below what is no directory', async () => {
    const error = await failureOf(member({ name: 'a' }, 'x'), member({ name: 'a/b' }, 'y'));
    expect(error).toBeInstanceOf(ImpossibleEntryError);
    expect(error).toMatchObject({ entry: 'a/b', offset: 1024, problem: 'it lies below a, which is a file' });
  });
});

describe('of entries with the same name the last counts', () => {
  test('a file over a directory takes all below it away', async () => {
    using layer = await ReadLayer.ofBytes(member({ name: 'a/b/c' }), member({ name: './a' }, 'file'), END);
    expect(layer.paths).toEqual(['a']);
    expect(layer.text('a')).toBe('file');
  });

  test('a directory over a directory keeps what is in it, and has the new attributes alone', async () => {
    using layer = await ReadLayer.ofBytes(
      pax([['SCHILY.xattr.user.first', '1']]),
      directoryMember('a', { mode: 0o700, uid: 1 }),
      member({ name: 'a/b' }, 'x'),
      pax([['SCHILY.xattr.user.second', '2']]),
      directoryMember('a/', { mode: 0o711, uid: 2 }),
      END,
    );
    expect(layer.at('a')).toMatchObject({ permissions: 0o711, uid: 2 });
    expect(layer.xattrs('a')).toEqual({ 'user.second': '2' });
    expect(layer.text('a/b')).toBe('x');
  });

  test('a directory over a link to one is a directory of its own', async () => {
    using layer = await ReadLayer.ofBytes(
      directoryMember('usr/lib'),
      symlinkMember('lib', 'usr/lib'),
      directoryMember('lib'),
      member({ name: 'lib/file' }),
      END,
    );
    expect(layer.paths).toEqual(['lib/', 'lib/file', 'usr/', 'usr/lib/']);
  });
});

describe('a symbolic link on the way to a name', () => {
  test.each([
    ['relative', 'usr/lib'],
    ['absolute', '/usr/lib'],
    ['out of the root and in again', '../../usr/lib'],
  ])('is followed inside the root: %s', async (_, target) => {
    using layer = await ReadLayer.ofBytes(
      symlinkMember('lib', target),
      member({ name: 'lib/x/file' }, 'text'),
      END,
    );
    expect(layer.paths).toEqual(['lib', 'usr/', 'usr/lib/', 'usr/lib/x/', 'usr/lib/x/file']);
  });

  test('is followed from where it is', async () => {
    using layer = await ReadLayer.ofBytes(
      symlinkMember('a/b/link', '../c'),
      member({ name: 'a/b/link/file' }, 'text'),
      END,
    );
    expect(layer.text('a/c/file')).toBe('text');
  });

  test('never leads out of the root', async () => {
    using layer = await ReadLayer.ofBytes(
      symlinkMember('up', '../../../../etc'),
      member({ name: 'up/passwd' }, 'mine'),
      END,
    );
    expect(layer.paths).toEqual(['etc/', 'etc/passwd', 'up']);
  });

  test('that leads to itself is an error', async () => {
    const error = await failureOf(
      symlinkMember('a', 'b/c'),
      symlinkMember('b', 'a'),
      member({ name: 'a/x' }),
    );
    expect(error).toMatchObject({ entry: 'a/x', problem: 'too many symbolic links on the way to it' });
  });

  test('is not followed at the end of a name', async () => {
    using layer = await ReadLayer.ofBytes(
      symlinkMember('a', 'b'),
      member({ name: 'b' }, 'b'),
      member({ name: 'a' }, 'a'),
      END,
    );
    expect([layer.text('a'), layer.text('b')]).toEqual(['a', 'b']);
  });
});

describe('hard links', () => {
  test('are further names of the same inode, also of links and of special files', async () => {
    using layer = await ReadLayer.ofBytes(
      member({ name: 'file', uid: 4 }, 'text'),
      linkMember('dir/second', './file'),
      linkMember('third', '/dir/second'),
      symlinkMember('symlink', 'nowhere'),
      linkMember('symlink2', 'symlink'),
      member({ name: 'fifo', type: TYPE.FIFO }),
      linkMember('fifo2', 'fifo'),
      END,
    );
    expect(layer.at('dir/second')).toBe(layer.at('file'));
    expect(layer.at('third')).toBe(layer.at('file'));
    expect(layer.at('file')).toMatchObject({ uid: 4 });
    expect(layer.at('symlink2')).toBe(layer.at('symlink'));
    expect(layer.at('fifo2')).toBe(layer.at('fifo'));
  });

  test('keep the inode when its first name is replaced', async () => {
    using layer = await ReadLayer.ofBytes(
      member({ name: 'a' }, 'old'),
      linkMember('b', 'a'),
      member({ name: 'a' }, 'new'),
      linkMember('c', 'a'),
      END,
    );
    expect([layer.text('a'), layer.text('b'), layer.text('c')]).toEqual(['new', 'old', 'new']);
    expect(layer.at('c')).toBe(layer.at('a'));
  });

  test('find their file through links on the way', async () => {
    using layer = await ReadLayer.ofBytes(
      symlinkMember('lib', 'usr/lib'),
      member({ name: 'usr/lib/x' }, 'x'),
      linkMember('y', 'lib/x'),
      END,
    );
    expect(layer.at('y')).toBe(layer.at('usr/lib/x'));
  });

  test('to themselves change nothing', async () => {
    using layer = await ReadLayer.ofBytes(member({ name: 'a' }, 'x'), linkMember('a', 'a'), END);
    expect(layer.text('a')).toBe('x');
  });

  test.each([
    [
      'what is not there',
      linkMember('b', 'missing'),
      'a hard link to missing, which the layer does not have before it',
    ],
    [
      'what is in a directory that is not there',
      linkMember('b', 'no/where'),
      'a hard link to no/where, which the layer does not have before it',
    ],
    ['a directory', linkMember('b', 'dir'), 'a hard link to the directory dir'],
    ['the root', linkMember('b', '/'), 'a hard link to /, which the layer does not have before it'],
  ])('to %s are errors', async (_, link, problem) => {
    expect(await failureOf(directoryMember('dir'), link)).toMatchObject({ entry: 'b', offset: 512, problem });
  });
});

describe('whiteouts', () => {
  test('become character devices 0:0 that keep owner and time of their entry', async () => {
    using layer = await ReadLayer.ofBytes(
      member({ name: 'a/.wh.gone', uid: 6, gid: 7, mode: 0o600, mtime: 99 }),
      END,
    );
    expect(layer.paths).toEqual(['a/', 'a/gone']);
    expect(layer.at('a/gone')).toEqual({
      kind: 'character device',
      major: 0,
      minor: 0,
      permissions: 0,
      uid: 6,
      gid: 7,
      mtime: { seconds: 99, nanoseconds: 0 },
      xattrs: [],
    });
  });

  test.each([['first'], ['last']])('give way to what the layer adds, come they %s or not', async (order) => {
    const whiteouts = [member({ name: '.wh.file' }), member({ name: '.wh.dir' })];
    const added = [
      member({ name: 'file' }, 'new'),
      directoryMember('dir', { uid: 2 }),
      member({ name: 'dir/x' }),
    ];
    const parts = order === 'first' ? [...whiteouts, ...added] : [...added, ...whiteouts];
    using layer = await ReadLayer.ofBytes(...parts, END);
    expect(layer.paths).toEqual(['dir/', 'dir/x', 'file']);
    expect(layer.text('file')).toBe('new');
    // The directory below, which was removed, must not shine through.
    expect(layer.xattrs('dir')).toEqual(OPAQUE);
  });

  test.each([['first'], ['last']])(
    'opaque marks hide layers below alone, come they %s or not',
    async (order) => {
      const mark = member({ name: 'dir/.wh..wh..opq' });
      const added = [
        pax([['SCHILY.xattr.user.own', '1']]),
        directoryMember('dir'),
        member({ name: 'dir/x' }),
      ];
      const parts = order === 'first' ? [mark, ...added] : [...added, mark];
      using layer = await ReadLayer.ofBytes(...parts, END);
      expect(layer.paths).toEqual(['dir/', 'dir/x']);
      expect(layer.xattrs('dir')).toEqual({ ...OPAQUE, 'user.own': '1' });
    },
  );

  test('make the root opaque too', async () => {
    using layer = await ReadLayer.ofBytes(member({ name: '.wh..wh..opq' }), END);
    expect(layer.xattrs('')).toEqual(OPAQUE);
    expect(layer.paths).toEqual([]);
  });

  test('other names of aufs are left out, but hard links may be to them', async () => {
    using layer = await ReadLayer.ofBytes(
      member({ name: '.wh..wh.aufs' }),
      directoryMember('.wh..wh.orph'),
      member({ name: '.wh..wh.plnk/8.123' }, 'linked'),
      linkMember('file', '.wh..wh.plnk/8.123'),
      member({ name: 'dir/.wh..wh.other/deep/file' }),
      END,
    );
    expect(layer.paths).toEqual(['dir/', 'file']);
    expect(layer.text('file')).toBe('linked');
  });

  test.each(['.wh.', 'a/.wh..', '.wh...'])('%s hides no possible name', async (name) => {
    expect(await failureOf(member({ name }))).toMatchObject({
      entry: name,
      problem: 'a whiteout of no possible name',
    });
  });

  test('are no directories', async () => {
    expect(await failureOf(member({ name: '.wh.a/b' }))).toMatchObject({
      problem: 'it lies below .wh.a, which hides a name',
    });
  });
});

describe('attributes of overlayfs', () => {
  test('stay out but for the mark of an opaque directory', async () => {
    using layer = await ReadLayer.ofBytes(
      pax([
        ['SCHILY.xattr.trusted.overlay.opaque', 'y'],
        ['SCHILY.xattr.trusted.overlay.origin', 'x'],
        ['SCHILY.xattr.user.overlay.opaque', 'y'],
      ]),
      directoryMember('dir'),
      pax([['SCHILY.xattr.trusted.overlay.opaque', 'y']]),
      member({ name: 'file' }),
      member({ name: 'dir/.wh..wh..opq' }),
      END,
    );
    expect(layer.xattrs('dir')).toEqual(OPAQUE);
    expect(layer.at('dir').xattrs).toHaveLength(1);
    expect(layer.xattrs('file')).toEqual({});
  });

  test('that need a layer below are an error', async () => {
    const error = await failureOf(
      pax([['SCHILY.xattr.trusted.overlay.redirect', '/etc']]),
      directoryMember('dir'),
    );
    expect(error).toMatchObject({ name: 'DependentUpperError' });
    expect(String(error)).toContain('layer.tar, dir: a renamed directory');
  });
});

test('links have the permissions and attributes that Linux gives them', async () => {
  using layer = await ReadLayer.ofBytes(
    pax([
      ['SCHILY.xattr.user.own', '1'],
      ['SCHILY.xattr.security.own', '2'],
    ]),
    header({ name: 'link', type: TYPE.SYMLINK, link: 'target', mode: 0o644 }),
    pax([['SCHILY.xattr.user.own', '1']]),
    header({ name: 'fifo', type: TYPE.FIFO, mode: 0o644 }),
    END,
  );
  expect(layer.at('link')).toMatchObject({ permissions: 0o777 });
  expect(layer.xattrs('link')).toEqual({ 'security.own': '2' });
  expect(layer.at('fifo')).toMatchObject({ permissions: 0o644, xattrs: [] });
});

describe('names and targets that no tree can hold', () => {
  test('a name of 256 bytes', async () => {
    const long = 'n'.repeat(256);
    const error = await failureOf(pax([['path', `dir/${long}`]]), member({}));
    expect(error).toBeInstanceOf(ImpossibleEntryError);
    expect(error).toMatchObject({ problem: 'a name of 256 bytes' });
    expect(await failureOf(pax([['path', `${long}/file`]]), member({}))).toMatchObject({
      problem: 'a name of 256 bytes',
    });
  });

  test('a symbolic link to nothing, or to too much', async () => {
    expect(await failureOf(symlinkMember('a', ''))).toMatchObject({
      problem: 'a symbolic link with a target of 0 bytes',
    });
    expect(await failureOf(pax([['linkpath', 'x'.repeat(4096)]]), symlinkMember('a', 'x'))).toMatchObject({
      problem: 'a symbolic link with a target of 4096 bytes',
    });
    using layer = await ReadLayer.ofBytes(
      pax([['linkpath', 'x'.repeat(4095)]]),
      symlinkMember('a', 'x'),
      END,
    );
    expect(layer.text('a')).toHaveLength(4095);
  });

  test.each([
    [4096, 0],
    [0, 1_048_576],
  ])('a device %i:%i', async (major, minor) => {
    const device = header({ name: 'device', type: TYPE.BLOCK_DEVICE, major, minor });
    expect(await failureOf(device)).toMatchObject({ problem: `a device of the numbers ${major}:${minor}` });
  });
});
