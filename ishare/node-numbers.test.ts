import fc from 'fast-check';
import { METABOX_NID, toNid } from '../erofs/brands';
import { ROOT_NODE } from '../fuse/file-system';
import type { Fingerprint } from './fingerprint';
import { dedupNode, domainIdOf, domainNode, imageNode, slotOf, splitImageNode } from './node-numbers';

const ranges = fc.integer({ min: 1, max: 2 ** 20 - 1 });
const nids = fc
  .tuple(fc.boolean(), fc.integer({ min: 0, max: 2 ** 31 - 1 }))
  .map(([metabox, slot]) => toNid(metabox ? METABOX_NID + slot : slot));

test('a node id of the images mount gives back its range and nid', () => {
  fc.assert(
    fc.property(ranges, nids, (nodeRange, nid) => {
      const node = imageNode(nodeRange, slotOf(nid)!);
      expect(splitImageNode(node)).toEqual({ nodeRange, nid });
      expect(Number.isSafeInteger(node)).toBe(true);
    }),
  );
});

test('root and domain directories belong to no image, and differ from each other', () => {
  expect(splitImageNode(ROOT_NODE).nodeRange).toBe(0);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (domain) => {
      expect(domainNode(domain)).not.toBe(ROOT_NODE);
      expect(splitImageNode(domainNode(domain)).nodeRange).toBe(0);
      expect(domainIdOf(domainNode(domain))).toBe(domain);
    }),
  );
});

test('a nid beyond 64 GiB of metadata has no slot', () => {
  expect(slotOf(toNid(2 ** 31))).toBeUndefined();
  expect(slotOf(toNid(2 ** 31 - 1))).toBe(2 ** 31 - 1);
});

test('a dedup node depends on secret and fingerprint, and stays an exact number apart from directories', () => {
  const secret = Buffer.alloc(32, 1);
  const fingerprint = '1'.repeat(64) as Fingerprint;
  const node = dedupNode(secret, fingerprint);
  expect(dedupNode(secret, fingerprint)).toBe(node);
  expect(dedupNode(Buffer.alloc(32, 2), fingerprint)).not.toBe(node);
  expect(dedupNode(secret, '2'.repeat(64) as Fingerprint)).not.toBe(node);
  expect(Number.isSafeInteger(node)).toBe(true);
  expect(node).toBeGreaterThanOrEqual(2 ** 52);
});
