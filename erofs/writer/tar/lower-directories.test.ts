import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { ScratchDirectory } from '../testing/scratch-directory';
import { directoryMember, END, member, symlinkMember } from './testing/craft-tar';
import { ReadLayer } from './testing/read-layer';

/** Makes an image of what a script makes in an empty directory. */
function image(scratch: ScratchDirectory, name: string, script: string): string {
  scratch.shell(`mkdir ${name}; cd ${name}; ${script}`);
  const path = scratch.join(`${name}.erofs`);
  execFileSync('mkfs.erofs', ['-x1', path, scratch.join(name)], { stdio: 'ignore', timeout: 30_000 });
  return path;
}

async function over(
  scratch: ScratchDirectory,
  lower: readonly string[],
  ...parts: readonly Buffer[]
): Promise<ReadLayer> {
  writeFileSync(scratch.join('layer.tar'), Buffer.concat([...parts, END]));
  return ReadLayer.of({ tar: scratch.join('layer.tar'), lower });
}

const DEFAULT = { permissions: 0o755, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 }, xattrs: [] };

test('directories that no entry is about are as the layers below have them', async () => {
  using scratch = new ScratchDirectory();
  const below = image(
    scratch,
    'below',
    `mkdir -p var/lib/deep; chmod 2711 var; chown 3:4 var/lib; chmod 1777 var/lib/deep
     setfattr -n user.own -v value var/lib; setfattr -n trusted.overlay.origin -v x var/lib; chmod 700 .
     touch -d @1000000000.5 var/lib; touch -d @1500000000 var`,
  );
  using layer = await over(
    scratch,
    [below],
    member({ name: 'var/lib/deep/new/file' }),
    directoryMember('var/lib/deep', { mode: 0o700 }),
  );
  expect(layer.root).toMatchObject({ permissions: 0o700 });
  expect(layer.at('var')).toMatchObject({
    permissions: 0o2711,
    mtime: { seconds: 1_500_000_000, nanoseconds: 0 },
  });
  expect(layer.at('var/lib')).toMatchObject({
    permissions: 0o755,
    uid: 3,
    gid: 4,
    mtime: { seconds: 1_000_000_000, nanoseconds: 500_000_000 },
  });
  expect(layer.xattrs('var/lib')).toEqual({ 'user.own': 'value' });
  expect(layer.at('var/lib/deep')).toMatchObject({ permissions: 0o700, uid: 0 });
  expect(layer.at('var/lib/deep/new')).toMatchObject(DEFAULT);
});

test('the topmost layer that has a directory counts, and hides what overlayfs would hide', async () => {
  using scratch = new ScratchDirectory();
  const bottom = image(scratch, 'bottom', 'mkdir -p a b/c d e/f g; chmod 701 a b b/c d e e/f g');
  const middle = image(
    scratch,
    'middle',
    `mkdir -p a b e; chmod 702 a b e; setfattr -n trusted.overlay.opaque -v y b; mknod d c 0 0; touch g`,
  );
  const top = image(scratch, 'top', 'mkdir e; chmod 703 e');
  using layer = await over(
    scratch,
    [top, middle, bottom],
    ...['a', 'b/c', 'd', 'e/f', 'g'].map((name) => member({ name: `${name}/file` })),
  );
  expect(layer.at('a')).toMatchObject({ permissions: 0o702 });
  expect(layer.at('b')).toMatchObject({ permissions: 0o702, xattrs: [] });
  // Opaque above: the bottom's does not shine through.
  expect(layer.at('b/c')).toMatchObject(DEFAULT);
  // Removed, and replaced by a file.
  expect(layer.at('d')).toMatchObject(DEFAULT);
  expect(layer.at('g')).toMatchObject(DEFAULT);
  expect(layer.at('e')).toMatchObject({ permissions: 0o703 });
  expect(layer.at('e/f')).toMatchObject({ permissions: 0o701 });
});

test('a directory that is opaque has the attributes of the one below, and hides it', async () => {
  using scratch = new ScratchDirectory();
  const below = image(scratch, 'below', 'mkdir -p a; chmod 711 a; setfattr -n user.own -v value a');
  using layer = await over(scratch, [below], member({ name: 'a/.wh..wh..opq' }));
  expect(layer.at('a')).toMatchObject({ permissions: 0o711 });
  expect(layer.xattrs('a')).toEqual({ 'user.own': 'value', 'trusted.overlay.opaque': 'y' });
});

test('a link of the layers below is not followed', async () => {
  using scratch = new ScratchDirectory();
  const below = image(scratch, 'below', 'mkdir -p usr/lib; chmod 700 usr/lib; ln -s usr/lib lib');
  using layer = await over(scratch, [below], member({ name: 'lib/file' }), symlinkMember('bin', 'usr/bin'));
  expect(layer.at('lib')).toMatchObject(DEFAULT);
});

test('the layers below are not opened where every directory has an entry', async () => {
  using scratch = new ScratchDirectory();
  using layer = await over(scratch, ['/nonexistent.erofs'], directoryMember('./'), directoryMember('a'));
  expect(layer.paths).toEqual(['a/']);
  await expect(over(scratch, ['/nonexistent.erofs'], directoryMember('a'))).rejects.toThrow(
    '/nonexistent.erofs',
  );
});

test('an image below that is damaged is named', async () => {
  using scratch = new ScratchDirectory();
  const below = image(scratch, 'below', 'mkdir a');
  writeFileSync(scratch.join('broken.erofs'), Buffer.alloc(8192, 1));
  await expect(over(scratch, [below, scratch.join('broken.erofs')], member({ name: 'a/b' }))).rejects.toThrow(
    'broken.erofs',
  );
});
