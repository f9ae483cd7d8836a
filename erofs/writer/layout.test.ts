import fc from 'fast-check';
import { BytesContent } from './content';
import { UnrepresentableError } from './errors';
import { toBlockAddress } from '../brands';
import { DATA_LAYOUT } from '../format/inode';
import { plainTail } from './file-assembly';
import { planImage, type ImagePlan } from './image-plan';
import type { InodePlan } from './inode-plan';
import { layOutMetadata, type MetadataLayout } from './layout';
import { randomTree } from './testing/random-tree';
import { directory, file, plain } from './testing/sample-tree';
import type { DirectoryNode, FileNode, NodeAttributes, TreeNode } from './tree';

const DEFAULT = 'erofs.fingerprint.v1';
/** A file of this size, whose content nobody reads. */
function fileOf(size: number, attributes: Partial<NodeAttributes> = {}): FileNode {
  const content = { size, open: () => new BytesContent(Buffer.alloc(0)).open() };
  return file(content, attributes);
}

/** An image in which files lie one after another from the second block on, as if they had been stored. */
function layOut(root: DirectoryNode): { plan: ImagePlan; layout: MetadataLayout } {
  const plan = planImage(root, DEFAULT);
  let next = 1;
  for (const inode of plan.inodes) {
    if (!inode.fingerprinted) continue;
    const length = plainTail(inode.size);
    const blocks = Math.ceil((inode.size - length) / 4096);
    inode.content = {
      fingerprint: Buffer.alloc(39),
      algorithm: undefined,
      index: undefined,
      layout: length > 0 ? DATA_LAYOUT.FLAT_INLINE : DATA_LAYOUT.FLAT_PLAIN,
      startBlock: toBlockAddress(next),
      blocks,
      trailer: length > 0 ? { offset: 0, length, alignment: 1, inlineBytes: length } : undefined,
    };
    next += blocks;
  }
  return { plan, layout: layOutMetadata(plan, next) };
}

/** Stretches of the image that something takes, as [start, end). */
function stretches({ plan, layout }: ReturnType<typeof layOut>): [number, number][] {
  const sharedStart = layout.sharedBlock * 4096;
  const taken: [number, number][] = [
    [0, 4096],
    [sharedStart, sharedStart + plan.sharedArea.length],
  ];
  for (const inode of plan.inodes) {
    const position = layout.metaBlock * 4096 + inode.nid * 32;
    const { blocks, startBlock } = inode.content ?? inode.data;
    taken.push([position, position + inode.headSize + inlineOf(inode)]);
    if (blocks > 0) taken.push([startBlock * 4096, (startBlock + blocks) * 4096]);
  }
  return taken.filter(([start, end]) => end > start);
}

function inlineOf({ content, data }: InodePlan): number {
  return content === undefined ? data.inlineBytes : (content.trailer?.length ?? 0);
}

test('nothing overlaps, and nothing lies outside', () => {
  fc.assert(
    fc.property(randomTree, (root) => {
      const image = layOut(root);
      const taken = stretches(image).sort(([one], [other]) => one - other);
      taken.reduce((end, [start, next]) => {
        expect(start).toBeGreaterThanOrEqual(end);
        return next;
      }, 0);
      expect(taken.at(-1)![1]).toBeLessThanOrEqual(image.layout.blocks * 4096);
    }),
  );
});

test('an inline tail lies in the block where attributes end', () => {
  fc.assert(
    fc.property(randomTree, (root) => {
      for (const inode of layOut(root).plan.inodes) {
        const tail = inlineOf(inode);
        if (tail === 0) continue;
        const start = inode.nid * 32 + inode.headSize;
        expect(Math.floor((start + tail - 1) / 4096)).toBe(Math.floor(start / 4096));
        expect(start % 4096).not.toBe(0);
        expect(tail).toBe(inode.size % 4096);
      }
    }),
  );
});

test('metadata lies behind all content, directories and links behind all inodes', () => {
  const links = { link: { kind: 'symlink', target: Buffer.alloc(4090, 'x'), ...plain } } as const;
  const { plan, layout } = layOut(
    directory({ file: fileOf(9000), many: manyFiles(500), last: fileOf(5000), ...links }),
  );
  const directories = plan.inodes.filter(({ data }) => data.blocks > 0);
  expect(directories.map(({ name }) => name).sort()).toEqual(['link', 'many']);
  for (const { data } of directories) expect(data.startBlock).toBeGreaterThanOrEqual(layout.directoryBlock);
  for (const { content } of plan.inodes) {
    if (content === undefined || content.blocks === 0) continue;
    expect(content.startBlock + content.blocks).toBeLessThanOrEqual(layout.sharedBlock);
  }
});

test('a root behind more than 2 MiB of shared attributes keeps a small nid', () => {
  const files = Array.from({ length: 100 }, (_, index) => {
    const xattrs = [{ name: Buffer.from('user.large'), value: Buffer.alloc(60_000, index >> 1) }];
    return [`${index}`, fileOf(1, { xattrs })] as const;
  });
  const { plan, layout } = layOut(directory(Object.fromEntries(files)));
  expect(plan.sharedArea.length).toBeGreaterThan(2 ** 21);
  expect(plan.inodes[0]!.nid).toBeLessThanOrEqual(0xffff);
  expect(layout.metaBlock).toBeGreaterThan(layout.sharedBlock);
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
  const plan = planImage(root, DEFAULT);
  expect(plan.epoch).toEqual(late);
  expect(plan.inodes.filter(({ extended }) => !extended).map(({ name }) => name)).toEqual(['b', 'c']);
});

test('a file of 4 GiB and more has an extended inode', () => {
  const { plan } = layOut(
    directory({ below: fileOf(2 ** 32 - 1), above: fileOf(2 ** 32), far: fileOf(2 ** 42 + 1) }),
  );
  const seen = plan.inodes.slice(1).map(({ name, extended }) => ({ name, extended }));
  expect(seen).toEqual([
    { name: 'above', extended: true },
    { name: 'below', extended: false },
    { name: 'far', extended: true },
  ]);
});

test('an image of more blocks than addresses is refused', () => {
  expect(() => planImage(directory({ huge: fileOf(2 ** 44) }), DEFAULT)).toThrow(UnrepresentableError);
});

test.each([0, 4096])('a link target of %d bytes is refused', (length) => {
  const link: TreeNode = { kind: 'symlink', target: Buffer.alloc(length, 'x'), ...plain };
  expect(() => planImage(directory({ d: directory({ link }) }), DEFAULT)).toThrow(/^\/d\/link: /);
});

test('a directory with two names is refused', () => {
  const twice = directory({});
  expect(() => planImage(directory({ a: twice, b: twice }), DEFAULT)).toThrow(/second name/);
});

test.each(['', 'trusted.', 'x'.repeat(256)])('%j is no name for the fingerprint attribute', (name) => {
  expect(() => planImage(directory({}), name)).toThrow(RangeError);
});
