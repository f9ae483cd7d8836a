import fc from 'fast-check';
import { toEntryName, type DirectoryNode, type TreeNode } from '../tree';
import { randomAttributes, randomLeaf } from './random-tree';

/** Few, so that layers have something to say about each other. */
const NAMES = ['a', 'b', 'c', 'longer name', '\xff'];

const whiteout: fc.Arbitrary<TreeNode> = fc.constant({
  kind: 'character device',
  major: 0,
  minor: 0,
  permissions: 0,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  xattrs: [],
});

const opaque = { name: Buffer.from('trusted.overlay.opaque'), value: Buffer.from('y') };

/** A directory with up to so many levels below it. */
function directory(levels: number): fc.Arbitrary<DirectoryNode> {
  const child: fc.Arbitrary<TreeNode> =
    levels === 0
      ? fc.oneof(randomLeaf, whiteout)
      : fc.oneof(
          { weight: 4, arbitrary: directory(levels - 1) },
          { weight: 3, arbitrary: randomLeaf },
          { weight: 1, arbitrary: whiteout },
        );
  return fc
    .record({
      common: randomAttributes,
      opaque: fc.integer({ min: 0, max: 4 }),
      entries: fc.uniqueArray(fc.tuple(fc.constantFrom(...NAMES), child), { selector: ([name]) => name }),
      /** A second name of something in it. */
      link: fc.option(fc.tuple(fc.nat(), fc.constantFrom(...NAMES))),
    })
    .map(({ common, opaque: chance, entries, link }) => {
      const xattrs = chance === 0 ? [...common.xattrs, opaque] : common.xattrs;
      const named = entries.map(([name, node]) => [toEntryName(Buffer.from(name, 'latin1')), node] as const);
      const node: DirectoryNode = { kind: 'directory', ...common, xattrs, entries: new Map(named) };
      const leaves = named.filter(([, each]) => each.kind !== 'directory');
      const target = link === null ? undefined : leaves[link[0] % Math.max(1, leaves.length)];
      if (link !== null && target !== undefined) {
        const name = toEntryName(Buffer.from(link[1], 'latin1'));
        if (!node.entries.has(name)) node.entries.set(name, target[1]);
      }
      return node;
    });
}

/** Two to four layers that hide, replace and complete each other, the topmost first. */
export const randomLayers: fc.Arbitrary<DirectoryNode[]> = fc.array(directory(3), {
  minLength: 2,
  maxLength: 4,
});
