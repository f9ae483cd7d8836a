import { isMetaboxNid, METABOX_NID, type Nid } from './brands';
import type { Superblock } from './superblock';

const LOW_BITS = 2 ** 31;

/**
 * The inode number that Linux shows for a nid: the nid itself. In images with a metabox file, whose nids may have bit
 * 63 set, that bit moves to bit 31, and the bits from there on move up by one (fs/erofs/internal.h,
 * erofs_nid_to_ino64(), Linux 6.17).
 */
export function inodeNumber(superblock: Superblock, nid: Nid): number {
  if (superblock.metaboxNid === undefined) return nid;
  const inMetabox = isMetaboxNid(nid);
  const slot = inMetabox ? nid - METABOX_NID : nid;
  return (slot % LOW_BITS) + (inMetabox ? LOW_BITS : 0) + Math.floor(slot / LOW_BITS) * 2 * LOW_BITS;
}
