import fc from 'fast-check';
import { BytesContent } from './content';
import { UnrepresentableError } from './errors';
import { layOut, type ImageLayout } from './layout';
import { randomTree } from './testing/random-tree';
import { directory, file, plain } from './testing/sample-tree';
import type { DirectoryNode, FileNode, NodeAttributes, TreeNode } from './tree';

const DEFAULT = 'erofs.fingerprint.v1';
/** A file of this size, whose content nobody reads. */
function fileOf(size: number, attributes: Partial<NodeAttributes> = {}): FileNode {
  const content = { size, open: () => new BytesContent(Buffer.alloc(0)).open() };
  return file(content, attributes);
}

/** Stretches of the image that something takes, as [start, end). */
function stretches(layout: ImageLayout): [number, number][] {
  const taken: [number, number][] = [
    [0, 1024 + 128],
    [layout.prefixOffset, layout.prefixOffset + layout.fingerprint.prefixRecord.length],
    [layout.sharedAreaOffset, layout.sharedAreaOffset + layout.sharedArea.length],
  ];
  for (const inode of layout.inodes) {
    const position = layout.metaBlock * 4096 + inode.nid * 32;
    taken.push([position, position + inode.headSize + inode.inlineTail]);
    if (inode.blocks > 0) taken.push([inode.startBlock * 4096, (inode.startBlock + inode.blocks) * 4096]);
  }
  return taken.filter(([start, end]) => end > start);
}

test('nothing overlaps, and nothing lies outside', () => {
  fc.assert(
    fc.property(randomTree, (root) => {
      const layout = layOut(root, DEFAULT);
      const taken = stretches(layout).sort(([one], [other]) => one - other);
      taken.reduce((end, [start, next]) => {
        expect(start).toBeGreaterThanOrEqual(end);
        return next;
      }, 0);
      expect(taken.at(-1)![1]).toBeLessThanOrEqual(layout.blocks * 4096);
    }),
  );
});

test('an inline tail lies in the block where attributes end', () => {
  fc.assert(
    fc.property(randomTree, (root) => {
      for (const inode of layOut(root, DEFAULT).inodes) {
        if (inode.inlineTail === 0) continue;
        const start = inode.nid * 32 + inode.headSize;
        expect(Math.floor((start + inode.inlineTail - 1) / 4096)).toBe(Math.floor(start / 4096));
        expect(start % 4096).not.toBe(0);
        expect(inode.inlineTail).toBe(inode.size % 4096);
      }
    }),
  );
});

test('directories and links lie before all blocks of files', () => {
  const layout = layOut(directory({ file: fileOf(9000), many: manyFiles(500), last: fileOf(5000) }), DEFAULT);
  for (const inode of layout.inodes) {
    if (inode.blocks === 0) continue;
    if (inode.node.kind === 'file') expect(inode.startBlock).toBeGreaterThanOrEqual(layout.dataBlock);
    else expect(inode.startBlock + inode.blocks).toBeLessThanOrEqual(layout.dataBlock);
  }
});

function manyFiles(count: number): DirectoryNode {
  return directory(Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}`, fileOf(0)])));
}

test('the most frequent time makes the most inodes compact', () => {
  const [early, late] = [
    { seconds: -5, nanoseconds: 7 },
    { seconds: 2 ** 33, nanoseconds: 9 },
  ];
  const root = directory({
    a: fileOf(1, { mtime: early }),
    b: fileOf(1, { mtime: late }),
    c: fileOf(1, { mtime: late }),
    d: fileOf(1, { mtime: late, uid: 65_536 }),
    e: fileOf(1, { mtime: { ...late, nanoseconds: 8 } }),
  });
  const layout = layOut(root, DEFAULT);
  expect(layout.epoch).toEqual(late);
  expect(layout.inodes.filter(({ extended }) => !extended).map(({ name }) => name)).toEqual(['b', 'c']);
});

test('a file of 4 GiB and more has an extended inode and all its blocks', () => {
  const layout = layOut(
    directory({ below: fileOf(2 ** 32 - 1), above: fileOf(2 ** 32), far: fileOf(2 ** 42 + 1) }),
    DEFAULT,
  );
  const seen = layout.inodes
    .slice(1)
    .map(({ name, extended, blocks, inlineTail }) => ({ name, extended, blocks, inlineTail }));
  expect(seen).toEqual([
    { name: 'above', extended: true, blocks: 2 ** 20, inlineTail: 0 },
    { name: 'below', extended: false, blocks: 2 ** 20, inlineTail: 0 },
    { name: 'far', extended: true, blocks: 2 ** 30, inlineTail: 1 },
  ]);
});

test('an image of more blocks than addresses is refused', () => {
  expect(() => layOut(directory({ huge: fileOf(2 ** 44) }), DEFAULT)).toThrow(UnrepresentableError);
});

test.each([0, 4096])('a link target of %d bytes is refused', (length) => {
  const link: TreeNode = { kind: 'symlink', target: Buffer.alloc(length, 'x'), ...plain };
  expect(() => layOut(directory({ d: directory({ link }) }), DEFAULT)).toThrow(/^\/d\/link: /);
});

test('a directory with two names is refused', () => {
  const twice = directory({});
  expect(() => layOut(directory({ a: twice, b: twice }), DEFAULT)).toThrow(/second name/);
});

test.each(['', 'trusted.', 'x'.repeat(256)])('%j is no name for the fingerprint attribute', (name) => {
  expect(() => layOut(directory({}), name)).toThrow(RangeError);
});
