import fc from 'fast-check';
import { toNid } from '../erofs/brands';
import { nodeId } from '../fuse/file-system';
import { DormantInodes, type DormantBacking, type DormantInode } from './dormant-inodes';
import type { Fingerprint } from './fingerprint';

/** Few, so that changes meet. */
const node = fc.nat(12).map((number) => nodeId(2 ** 52 + number * 16));
const backing = fc.record({
  attachmentId: fc.integer({ min: 1, max: 4 }),
  nid: fc.oneof(fc.nat(3), fc.constant(2 ** 52 + 1)).map(toNid),
});
const inode = fc.record({
  domainId: fc.nat(3),
  fingerprint: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => hex(bytes) as Fingerprint),
  size: fc.maxSafeNat(),
});
const change = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), node, inode, backing }),
  fc.record({ kind: fc.constant('back' as const), node, backing }),
  fc.record({ kind: fc.constant('unback' as const), node, backing }),
  fc.record({ kind: fc.constant('remove' as const), node }),
);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('they are what was added and not removed, with their backing inodes in the order in which they came', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 150 }), (changes) => {
      const dormant = new DormantInodes();
      const model = new Map<number, { inode: DormantInode; backings: DormantBacking[] }>();
      for (const step of changes) {
        const known = model.get(step.node);
        expect(dormant.has(step.node)).toBe(known !== undefined);
        if (step.kind === 'add' && known === undefined) {
          dormant.add(step.node, step.inode);
          dormant.addBacking(step.node, step.backing);
          model.set(step.node, { inode: step.inode, backings: [step.backing] });
        } else if (step.kind === 'back' && known !== undefined) {
          dormant.addBacking(step.node, step.backing);
          known.backings.push(step.backing);
        } else if (step.kind === 'unback' && known !== undefined) {
          const { attachmentId, nid } = step.backing;
          const index = known.backings.findLastIndex(
            (each) => each.attachmentId === attachmentId && each.nid === nid,
          );
          if (index >= 0) known.backings.splice(index, 1);
          const gone = known.backings.length === 0;
          expect(dormant.removeBacking(step.node, step.backing)).toBe(gone);
          if (gone) model.delete(step.node);
        } else if (step.kind === 'remove' && known !== undefined) {
          dormant.remove(step.node);
          model.delete(step.node);
        }
      }
      expect([...dormant.nodes()].sort()).toEqual([...model.keys()].sort());
      for (const [number, { inode, backings }] of model) {
        expect(dormant.get(nodeId(number))).toEqual(inode);
        expect(dormant.backings(nodeId(number))).toEqual(backings);
      }
    }),
  );
});
