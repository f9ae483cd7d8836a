import {
  appendFile,
  chmod,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { readMountTable } from '../../linux/mount-table';
import { getXattr, listXattrs, setXattr } from '../../linux/xattr';
import { KernelMount } from '../erofs/kernel-mount';
import type { LayerEntry } from '../../scripts/oci/layer-source';
import { writeOciArchive, type WrittenImage } from '../../scripts/oci/oci-archive';
import { ContainerHost, ownNamespace, topSnapshot, type MountedTree } from '../harness/container-host';
import { describeTree } from '../harness/tree-comparison';

const PRIVATE = 'trusted.overlay.';
const OPAQUE = 'trusted.overlay.opaque';
const place = { namespace: ownNamespace('committed'), snapshotter: 'ishare' };

let host: ContainerHost;
let image: WrittenImage;

beforeAll(async () => {
  host = await ContainerHost.start({ ishare: { domains: { default: 'one' } } });
  image = await makeBase(host.directory);
  await host.import([image], place);
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

/** All that makes overlayfs leave marks of its own in an upper directory. */
async function change(root: string): Promise<void> {
  const at = (path: string): string => join(root, path);
  await chmod(at('copied/mode'), 0o4755);
  await appendFile(at('copied/data'), ' and more');
  setXattr(at('copied/xattr'), 'user.mine', Buffer.from('kept'));
  await link(at('copied/linked'), at('copied/second-name'));
  await rm(at('removed'));
  await rm(at('removed-directory'), { recursive: true });
  await rm(at('remade'), { recursive: true });
  await mkdir(at('remade'));
  await writeFile(at('remade/new'), 'new');
  await rename(at('moved'), at('copied/moved'));
  await mkdir(at('made'));
  await writeFile(at('made/file'), 'made');
}

/** Where what is changed in a mounted tree is stored, as the mount table has it. */
async function upperOf(tree: MountedTree): Promise<string> {
  const mounted = (await readMountTable()).find(({ target }) => target === tree.path);
  const option = mounted?.superOptions.find((text) => text.startsWith('upperdir='));
  return option!.slice('upperdir='.length);
}

/** Names of overlayfs's own xattrs of every entry that has any, with their values. */
async function privateXattrs(root: string): Promise<Record<string, Record<string, string>>> {
  const found: Record<string, Record<string, string>> = {};
  for (const path of ['.', ...(await readdir(root, { recursive: true }))]) {
    const names = listXattrs(join(root, path)).map((name) => name.toString());
    const own = names.filter((name) => name.startsWith(PRIVATE));
    if (own.length === 0) continue;
    found[path] = Object.fromEntries(
      own.map((name) => [name, getXattr(join(root, path), name)!.toString('latin1')]),
    );
  }
  return found;
}

test('a commit strips overlayfs’s private xattrs and keeps whiteouts and opaque marks', async () => {
  const tree = await host.mountTree(image, place);
  await change(tree.path);
  const before = await describeTree(tree.path);
  const marked = Object.values(await privateXattrs(await upperOf(tree))).flatMap(Object.keys);
  // Otherwise there is nothing to strip, and this test proves nothing.
  expect(marked).toEqual(expect.arrayContaining([`${PRIVATE}origin`, `${PRIVATE}impure`, OPAQUE]));
  tree.unmount();
  const file = await host.commit(tree, 'changed', place);

  using mounted = new KernelMount(file, join(host.directory, 'kernel-view'));
  expect(await privateXattrs(mounted.path)).toEqual({ remade: { [OPAQUE]: 'y' } });
  for (const name of ['removed', 'removed-directory', 'moved']) {
    const stats = await lstat(join(mounted.path, name));
    expect({ name, character: stats.isCharacterDevice(), rdev: stats.rdev }).toEqual({
      name,
      character: true,
      rdev: 0,
    });
  }
  expect(await readdir(join(mounted.path, 'remade'))).toEqual(['new']);
  expect(await readFile(join(mounted.path, 'copied/data'), 'utf8')).toBe('data and more');
  expect(getXattr(join(mounted.path, 'copied/xattr'), 'user.mine')?.toString()).toBe('kept');
  const [first, second] = await Promise.all(
    ['linked', 'second-name'].map((name) => lstat(join(mounted.path, 'copied', name))),
  );
  expect(first!.ino).toBe(second!.ino);

  await using above = await host.mountTree('changed', place, 'view');
  // Without an index overlayfs shows the names of a copied-up file as two files; the image has one, as the upper has.
  const secondName = { ...before.get('copied/second-name')!, linkedWith: 'copied/linked' };
  expect(await describeTree(above.path)).toEqual(before.set('copied/second-name', secondName));
});

test('the image of an unpacked layer has whiteouts, opaque marks and nothing else of overlayfs', async () => {
  const file = await host.imageFile(topSnapshot(image), place.snapshotter);
  using mounted = new KernelMount(file, join(host.directory, 'kernel-view-of-layer'));
  expect(await privateXattrs(mounted.path)).toEqual({ 'made-opaque': { [OPAQUE]: 'y' } });
  const whiteout = await lstat(join(mounted.path, 'removed-by-layer'));
  expect({ character: whiteout.isCharacterDevice(), rdev: whiteout.rdev }).toEqual({
    character: true,
    rdev: 0,
  });
});

async function makeBase(directory: string): Promise<WrittenImage> {
  const folder = (path: string): LayerEntry => ({ path, type: 'directory' });
  const file = (path: string, content = path.split('/').at(-1)!): LayerEntry => ({
    path,
    type: 'file',
    content,
  });
  const lower = [
    ...['copied', 'remade', 'removed-directory', 'made-opaque'].map(folder),
    ...['mode', 'data', 'xattr', 'linked'].map((name) => file(`copied/${name}`)),
    ...[
      'removed',
      'moved',
      'removed-by-layer',
      'removed-directory/file',
      'remade/old',
      'made-opaque/old',
    ].map((path) => file(path)),
  ];
  const upper = [
    folder('made-opaque'),
    file('made-opaque/.wh..wh..opq', ''),
    file('made-opaque/new'),
    file('.wh.removed-by-layer', ''),
  ];
  return writeOciArchive(
    {
      reference: 'harness.local/committed:1',
      layers: [{ entries: lower }, { entries: upper }],
      config: { entrypoint: ['/none'] },
    },
    join(directory, 'committed.tar'),
  );
}
