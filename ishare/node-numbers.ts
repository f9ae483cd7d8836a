import { createHash } from 'node:crypto';
import { isMetaboxNid, METABOX_NID, toNid, type Nid } from '../erofs/brands';
import { nodeId, type NodeId } from '../fuse/file-system';

/**
 * Node ids are computed, never handed out: the same inode has the same number in every process that serves the
 * mount, so the kernel's memory of it stays true over a restart.
 *
 * Images mount: 1 is the root, 2..2^32-1 are domain directories, `range * 2^32 + slot` is an inode of an image,
 * where each attachment has a range of its own.
 * Ishare mount: 1 is the root, 2..2^32-1 are domain directories, 2^52.. are dedup inodes.
 */
const RANGE_SIZE = 2 ** 32;
const METABOX_SLOT = 2 ** 31;
const DEDUP_BASE = 2 ** 52;

/** Slot of a nid below 2^32, or undefined where the image is too large for one (128 GiB of metadata). */
export function slotOf(nid: Nid): number | undefined {
  const slot = isMetaboxNid(nid) ? nid - METABOX_NID : nid;
  if (slot >= METABOX_SLOT) return undefined;
  return isMetaboxNid(nid) ? METABOX_SLOT + slot : slot;
}

function nidOf(slot: number): Nid {
  return toNid(slot >= METABOX_SLOT ? METABOX_NID + (slot - METABOX_SLOT) : slot);
}

const FIRST_DOMAIN_NODE = 2;

/** Stands for no domain where a domain has a number. */
export const UNSHARED_ID = 0;

/** Node id of a domain's directory, in either mount, or of the one for what is in none. */
export function domainNode(domainId: number): NodeId {
  return nodeId(FIRST_DOMAIN_NODE + domainId);
}

export function domainIdOf(node: NodeId): number {
  return node - FIRST_DOMAIN_NODE;
}

/** `nodeRange` is at most 2^20 - 1, so that dedup inodes and images have numbers apart. */
export function imageNode(nodeRange: number, slot: number): NodeId {
  return nodeId(nodeRange * RANGE_SIZE + slot);
}

/** The range of node ids that a node of the images mount is in, and the inode there; range 0 is root and domains. */
export function splitImageNode(node: NodeId): { readonly nodeRange: number; readonly nid: Nid } {
  return { nodeRange: Math.floor(node / RANGE_SIZE), nid: nidOf(node % RANGE_SIZE) };
}

/**
 * Node id of a dedup inode: 52 bits of a hash over the domain's secret id and its name there. The secret keeps
 * anybody from searching for two contents with one number. Where two keys of one mount do meet, the second file is
 * not shared.
 */
export function dedupNode(domainSecret: Buffer, name: string): NodeId {
  const digest = createHash('sha256').update(domainSecret).update(name).digest();
  return nodeId(DEDUP_BASE + digest.readUIntBE(0, 6) * 16 + (digest.readUInt8(6) >>> 4));
}
