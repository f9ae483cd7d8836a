import { METABOX_NID, toNid } from './brands';
import { inodeNumber } from './inode-number';
import type { Superblock } from './superblock';

const without = { metaboxNid: undefined } as Superblock;
const withMetabox = { metaboxNid: toNid(40) } as Superblock;

test('without a metabox file an inode number is the nid', () => {
  for (const nid of [0, 36, 2 ** 31, 2 ** 40 + 1]) expect(inodeNumber(without, toNid(nid))).toBe(nid);
});

test('with one, bit 31 tells inodes in the metabox file, and higher bits make room for it', () => {
  expect(inodeNumber(withMetabox, toNid(36))).toBe(36);
  expect(inodeNumber(withMetabox, toNid(METABOX_NID))).toBe(2 ** 31);
  expect(inodeNumber(withMetabox, toNid(METABOX_NID + 36))).toBe(2 ** 31 + 36);
  expect(inodeNumber(withMetabox, toNid(2 ** 31 + 5))).toBe(2 ** 32 + 5);
  expect(inodeNumber(withMetabox, toNid(METABOX_NID + 2 ** 31 + 5))).toBe(2 ** 32 + 2 ** 31 + 5);
});
