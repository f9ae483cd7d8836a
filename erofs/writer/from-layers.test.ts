import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { LONG } from '../../linux/testing/long-trials';
import { unmount } from '../../linux/mount';
import { buildImage, buildImageOfTree } from '../build';
import { toNid, type Nid } from '../brands';
import { ErofsCorruptError, ErofsDigestError } from '../errors';
import { ErofsImage, type Inode } from '../image';
import { resolvePath } from '../path-resolution';
import { newerTool } from '../testing/erofs-utils';
import { AbsentContent } from './absent-content';
import { BytesContent } from './content';
import { complaintsOfSystemFsck } from './testing/fsck';
import { MountedImage } from './testing/mounted-image';
import { randomLayers } from './testing/random-layers';
import { ScratchDirectory } from './testing/scratch-directory';
import { visibleTree } from './testing/visible-tree';
import { toEntryName, type DirectoryNode, type FileNode, type TreeNode, type Xattr } from './tree';

const RUNS = LONG ? 100 : 4;
const LIMIT_MS = LONG ? 900_000 : 60_000;

const ATTRIBUTES = { permissions: 0o755, uid: 0, gid: 0, mtime: { seconds: 1, nanoseconds: 0 } };

function directory(entries: Record<string, TreeNode>, xattrs: readonly Xattr[] = []): DirectoryNode {
  const named = Object.entries(entries).map(
    ([name, node]) => [toEntryName(Buffer.from(name)), node] as const,
  );
  return { kind: 'directory', ...ATTRIBUTES, xattrs, entries: new Map(named) };
}

function file(content: string, xattrs: readonly Xattr[] = []): FileNode {
  return { kind: 'file', ...ATTRIBUTES, xattrs, content: new BytesContent(Buffer.from(content)) };
}

/** Builds the layers, topmost first, and the image of their merged metadata, `merged`. */
async function buildAll(scratch: ScratchDirectory, trees: readonly DirectoryNode[]): Promise<string[]> {
  const paths = trees.map((_, layer) => scratch.join(`layer-${layer}`));
  for (const [layer, tree] of trees.entries()) await buildImageOfTree(tree, { target: paths[layer]! });
  await mergeAll(scratch.join('merged'), paths);
  return paths;
}

function inodeAt(image: ErofsImage, path: string): Promise<Inode> {
  return resolvePath(image, Buffer.from(path, 'latin1'), false);
}

async function mergeAll(target: string, paths: readonly string[]): Promise<void> {
  await buildImage({ source: { layers: paths.map((path) => ({ path })) }, target });
}

/** The content that the merged image says a file has. */
class Contents implements AsyncDisposable {
  private constructor(
    readonly merged: ErofsImage,
    private readonly layers: readonly ErofsImage[],
  ) {}

  static async open(scratch: ScratchDirectory, paths: readonly string[]): Promise<Contents> {
    const merged = await ErofsImage.open(scratch.join('merged'));
    return new Contents(merged, await Promise.all(paths.map((path) => ErofsImage.open(path))));
  }

  async source(path: string): Promise<{ readonly layer: number; readonly nid: Nid } | undefined> {
    return this.merged.source(await inodeAt(this.merged, path));
  }

  async of(path: string): Promise<Buffer> {
    const source = await this.source(path);
    const layer = this.layers[source!.layer]!;
    const inode = await layer.inode(source!.nid);
    return layer.read(inode, 0, inode.size);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const image of [this.merged, ...this.layers]) await image[Symbol.asyncDispose]();
  }
}

async function digestsOfFiles(contents: Contents): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  const visit = async (path: string): Promise<void> => {
    const { merged } = contents;
    const inode = await inodeAt(merged, path);
    for (const { name, nid } of await merged.entriesFrom(inode, 0, 1000)) {
      const text = name.toString('latin1');
      if (text === '.' || text === '..') continue;
      const { mode } = await merged.inode(nid);
      if ((mode & 0o170000) === 0o040000) await visit(`${path}/${text}`);
      if ((mode & 0o170000) === 0o100000) {
        const bytes = await contents.of(`${path}/${text}`);
        digests.set(`${path}/${text}`, createHash('sha256').update(bytes).digest('hex'));
      }
    }
  };
  await visit('');
  return digests;
}

test(
  'the merged image of random layers shows what overlayfs makes of them',
  async () => {
    await fc.assert(
      fc.asyncProperty(randomLayers, async (trees) => {
        using scratch = new ScratchDirectory();
        const paths = await buildAll(scratch, trees);
        await using contents = await Contents.open(scratch, paths);
        const digests = await digestsOfFiles(contents);
        using merged = new MountedImage(scratch.join('merged'));
        const actual = visibleTree(merged.path, (name) => digests.get(name) ?? 'no content');
        expect(actual).toEqual(treeOfOverlay(scratch, paths));
        expect(complaintsOfSystemFsck(scratch.join('merged'))).toBe('');
        expect(newerTool('fsck.erofs')?.complaints('--extract', scratch.join('merged')) ?? '').toBe('');
      }),
      { numRuns: RUNS },
    );
  },
  LIMIT_MS,
);

function treeOfOverlay(scratch: ScratchDirectory, paths: readonly string[]): string[] {
  const overlay = scratch.join('overlay');
  const mounted: MountedImage[] = [];
  try {
    for (const path of paths) mounted.push(new MountedImage(path));
    scratch.shell('mkdir overlay');
    const lower = mounted.map(({ path }) => path).join(':');
    const options = `ro,index=off,metacopy=off,redirect_dir=nofollow,xino=off,lowerdir=${lower}`;
    execFileSync('mount', ['-t', 'overlay', '-o', options, 'overlay', overlay]);
    try {
      return visibleTree(overlay);
    } finally {
      unmount(overlay);
    }
  } finally {
    for (const each of mounted) each[Symbol.dispose]();
  }
}

test('the same layers give the same image, without a block of their contents', async () => {
  using scratch = new ScratchDirectory();
  const content = 'x'.repeat(300_000);
  const paths = await buildAll(scratch, [
    directory({ top: file(content) }),
    directory({ low: file(content) }),
  ]);
  await mergeAll(scratch.join('again'), paths);
  const merged = readFileSync(scratch.join('merged'));
  expect(readFileSync(scratch.join('again')).equals(merged)).toBe(true);
  expect(merged.length).toBe(8192);
});

test('files of any size are one hole of that size', async () => {
  using scratch = new ScratchDirectory();
  const sizes = [0, 1, 4096, 2 ** 32, 2 ** 43, 2 ** 43 + 1, 3 * 2 ** 43];
  const huge = Object.fromEntries(
    sizes.map((size, index): [string, TreeNode] => {
      const content = new AbsentContent(size, { layer: 7, nid: toNid(index) });
      return [`f${index}`, { kind: 'file', ...ATTRIBUTES, xattrs: [], content }];
    }),
  );
  await buildImageOfTree(directory(huge), { target: scratch.join('image') });
  await using image = await ErofsImage.open(scratch.join('image'));
  for (const [index, size] of sizes.entries()) {
    const inode = await inodeAt(image, `f${index}`);
    const last = await image.read(inode, Math.max(0, size - 5), 5);
    expect([inode.size, last.equals(Buffer.alloc(Math.min(size, 5)))]).toEqual([size, true]);
    expect(await image.source(inode)).toEqual({ layer: 7, nid: index });
  }
  using mounted = new MountedImage(scratch.join('image'));
  expect(readFileSync(`${mounted.path}/f2`).equals(Buffer.alloc(4096))).toBe(true);
  expect(execFileSync('tail', ['-c', '3', `${mounted.path}/f6`])).toEqual(Buffer.alloc(3));
});

test('what a layer says of sources counts for nothing', async () => {
  using scratch = new ScratchDirectory();
  const name = Buffer.from('trusted.ishare.source');
  const forged = { name, value: Buffer.alloc(10, 1) };
  const paths = await buildAll(scratch, [
    directory({ top: file('top') }),
    directory({ named: file('named', [forged]), secret: file('secret') }),
  ]);
  // An image of merged metadata has the very attribute on its files.
  const layers = [scratch.join('merged'), ...paths];
  await mergeAll(scratch.join('second'), layers);
  await using image = await ErofsImage.open(scratch.join('second'));
  await using first = await ErofsImage.open(scratch.join('merged'));
  for (const path of ['top', 'named', 'secret']) {
    const inode = await inodeAt(image, path);
    const { nid } = await inodeAt(first, path);
    expect(await image.source(inode)).toEqual({ layer: 0, nid });
  }
  const inode = await inodeAt(image, 'named');
  expect(await image.getXattr(inode, name)).toEqual(forged.value);
  expect((await image.xattrs(inode)).length).toBe(1);
});

test('marks of overlayfs that layers bring do not get into the image', async () => {
  using scratch = new ScratchDirectory();
  const marks = ['opaque', 'redirect', 'metacopy', 'origin', 'whiteout', 'overlay.opaque'].map((mark) => ({
    name: Buffer.from(`trusted.overlay.${mark}`),
    value: Buffer.from('y'),
  }));
  await buildAll(scratch, [
    directory({ d: directory({ f: file('f', marks) }, marks) }, marks),
    directory({ d: directory({ hidden: file('hidden') }), shown: file('shown') }),
  ]);
  await using image = await ErofsImage.open(scratch.join('merged'));
  for (const path of ['/', 'd', 'd/f', 'shown'])
    expect(await image.xattrs(await inodeAt(image, path))).toEqual([]);
  await expect(inodeAt(image, 'd/hidden')).rejects.toThrow();
});

test('a layer that is not what was recorded is refused, and leaves nothing', async () => {
  using scratch = new ScratchDirectory();
  const [path] = [scratch.join('layer')];
  const digests = scratch.join('digests');
  const { digestsRoot } = await buildImageOfTree(directory({ f: file('f') }), { target: path, digests });
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  writeFileSync(path, bytes);
  const layers = [{ path, digests: { path: digests, root: digestsRoot! } }];
  const build = buildImage({ source: { layers }, target: scratch.join('merged') });
  await expect(build).rejects.toThrow(ErofsDigestError);
  scratch.shell('! ls -A | grep -v -e ^layer -e ^digests');
});

test('a directory that two names of a layer lead to is refused', async () => {
  using scratch = new ScratchDirectory();
  const tree = directory({ aaaa: directory({ f: file('f') }), bbbb: directory({}) });
  await buildImageOfTree(tree, { target: scratch.join('layer') });
  {
    await using image = await ErofsImage.open(scratch.join('layer'));
    const root = await image.inode(image.rootNid);
    const [a, b] = ['aaaa', 'bbbb'].map((name) => image.lookup(root, Buffer.from(name)));
    const bytes = readFileSync(scratch.join('layer'));
    const [from, to] = [Buffer.alloc(8), Buffer.alloc(8)];
    from.writeUIntLE((await b)!.nid, 0, 6);
    to.writeUIntLE((await a)!.nid, 0, 6);
    // The entry of `bbbb` is the one behind that of `aaaa`.
    const entry = bytes.indexOf(from, bytes.indexOf(to) + 8);
    to.copy(bytes, entry);
    writeFileSync(scratch.join('layer'), bytes);
  }
  const merging = mergeAll(scratch.join('merged'), [scratch.join('layer')]);
  await expect(merging).rejects.toThrow(ErofsCorruptError);
});
