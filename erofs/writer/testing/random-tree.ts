import fc from 'fast-check';
import { BytesContent } from '../content';
import { toEntryName, type DirectoryNode, type NodeAttributes, type TreeNode, type Xattr } from '../tree';

const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array));

/** No NUL and no slash, and neither `.` nor `..`. */
const name = fc.oneof(
  { weight: 4, arbitrary: nameOf(fc.integer({ min: 1, max: 255 }), 12) },
  { weight: 1, arbitrary: nameOf(fc.integer({ min: 1, max: 255 }), 255) },
);

function nameOf(byte: fc.Arbitrary<number>, maxLength: number): fc.Arbitrary<Buffer> {
  return fc
    .array(byte, { minLength: 1, maxLength })
    .map((array) => Buffer.from(array.map((each) => (each === 0x2f ? 0x2d : each))))
    .filter((each) => !['.', '..'].includes(each.toString('latin1')));
}

const xattr: fc.Arbitrary<Xattr> = fc
  .tuple(
    fc.constantFrom('user.', 'trusted.', 'security.'),
    nameOf(fc.integer({ min: 0x21, max: 0x7e }), 40),
    fc.oneof(fc.constantFrom(Buffer.from('the same'), Buffer.alloc(0)), bytes(0, 300)),
  )
  .map(([prefix, rest, value]) => ({ name: Buffer.concat([Buffer.from(prefix), rest]), value }));

export const randomAttributes: fc.Arbitrary<NodeAttributes> = fc.record({
  permissions: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 32 - 2 })),
  gid: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 32 - 2 })),
  mtime: fc.oneof(
    fc.constant({ seconds: 1_700_000_000, nanoseconds: 5 }),
    fc.record({
      seconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
      nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
    }),
  ),
  xattrs: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.uniqueArray(xattr, { maxLength: 6, selector: (each) => each.name.toString('latin1') }),
    },
  ),
});

const content = fc
  .tuple(
    fc.oneof(fc.constantFrom(0, 1, 1024, 1025, 4095, 4096, 4097, 8192), fc.integer({ min: 0, max: 20_000 })),
    fc.integer({ min: 0, max: 255 }),
  )
  .map(([length, seed]) => new BytesContent(Buffer.from(patterned(length, seed))));

function patterned(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + seed + (index >> 8)) & 0xff);
}

const device = { major: fc.integer({ min: 0, max: 0xfff }), minor: fc.integer({ min: 0, max: 0xfffff }) };

export const randomLeaf: fc.Arbitrary<TreeNode> = fc
  .tuple(
    randomAttributes,
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('file' as const), content }) },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('symlink' as const),
          target: fc.oneof(nameOf(fc.integer({ min: 1, max: 255 }), 30), longTarget()),
        }),
      },
      fc.record({ kind: fc.constantFrom('character device' as const, 'block device' as const), ...device }),
      fc.record({ kind: fc.constantFrom('fifo' as const, 'socket' as const) }),
    ),
  )
  .map(([common, own]) => withoutUserXattrsOfSpecial({ ...common, ...own }));

function longTarget(): fc.Arbitrary<Buffer> {
  return fc.integer({ min: 3900, max: 4095 }).map((length) => Buffer.alloc(length, 'x'));
}

/** Linux shows `user.` attributes of regular files and directories only. */
function withoutUserXattrsOfSpecial(node: TreeNode): TreeNode {
  if (node.kind === 'file' || node.kind === 'directory') return node;
  return { ...node, xattrs: node.xattrs.filter((each) => !each.name.toString('latin1').startsWith('user.')) };
}

/**
 * Trees with a few dozen entries: what a shell could make, and what it could not. Some files have a second name.
 */
export const randomTree: fc.Arbitrary<DirectoryNode> = fc
  .record({
    directories: fc.array(fc.tuple(randomAttributes, name, fc.nat()), { maxLength: 6 }),
    leaves: fc.array(fc.tuple(randomLeaf, name, fc.nat()), { maxLength: 30 }),
    links: fc.array(fc.tuple(fc.nat(), name, fc.nat()), { maxLength: 5 }),
    root: randomAttributes,
  })
  .map(({ directories, leaves, links, root }) => {
    const top: DirectoryNode = { kind: 'directory', entries: new Map(), ...root };
    const all = [top];
    const add = (node: TreeNode, under: Buffer, into: number): boolean => {
      const parent = all[into % all.length];
      const key = toEntryName(under);
      if (parent === undefined || parent.entries.has(key)) return false;
      parent.entries.set(key, node);
      return true;
    };
    for (const [common, under, into] of directories) {
      const node: DirectoryNode = { kind: 'directory', entries: new Map(), ...common };
      if (add(node, under, into)) all.push(node);
    }
    const placed = leaves.filter(([node, under, into]) => add(node, under, into));
    for (const [which, under, into] of links) {
      const target = placed[which % Math.max(1, placed.length)];
      if (target !== undefined) add(target[0], under, into);
    }
    return top;
  });
