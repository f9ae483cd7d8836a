import { toBlockAddress, toByteOffset, toNid, type BlockAddress, type ByteOffset } from '../brands';
import { INODE_SLOT, NO_BLOCK_LOW } from '../format/inode';
import { SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE } from '../format/superblock';
import { XATTR_ALIGNMENT } from '../format/xattr';
import { enumerateInodes } from './enumerate';
import { UnrepresentableError } from './errors';
import { fingerprintXattr, type FingerprintXattr } from './fingerprint-xattr';
import { BLOCK_SIZE, roundUp } from './geometry';
import type { InodePlan } from './inode-plan';
import type { DirectoryNode, Timestamp } from './tree';
import { packXattrs } from './xattrs';

/**
 * Longest tail of a regular file that stands behind its inode (bytes); a longer one gets a block of its own. More
 * makes the image smaller and pushes the inodes apart, which everybody who walks the tree reads. Measured on
 * /usr/share of a Debian (53,461 inodes, 459 MB): 512: 12 MB of metadata in an image of 561 MB, 1024: 22 of 524,
 * 2048: 51 of 487, 4095: 90 of 487.
 */
const FILE_TAIL_MAX = 1024;

/** Largest nid of a root that needs no 48BIT. */
const ROOT_NID_MAX = 0xffff;

const SYMLINK_TARGET_MAX = 4095;

/**
 * Where everything stands. In this order: superblock, long prefix, shared xattrs; inodes with their attributes and
 * inline tails; blocks of directories and of long symlinks; blocks of files. All but the last part is the metadata.
 */
export interface ImageLayout {
  /** In the order of their position; the root is the first. */
  readonly inodes: readonly InodePlan[];
  readonly fingerprint: FingerprintXattr;
  readonly prefixOffset: ByteOffset;
  readonly sharedAreaOffset: ByteOffset;
  readonly sharedArea: Buffer;
  /** Block of nid 0. */
  readonly metaBlock: BlockAddress;
  /** First block of a directory or symlink, after the inodes. */
  readonly directoryBlock: BlockAddress;
  /** First block of file data, after all metadata. */
  readonly dataBlock: BlockAddress;
  /** Blocks of the whole image. */
  readonly blocks: BlockAddress;
  /** Time of all compact inodes. */
  readonly epoch: Timestamp;
  /** One past the largest nid. */
  readonly nidLimit: number;
}

/**
 * Lays out an image. What it costs grows with the number of entries, never with the content of files, which is not
 * looked at. Throws UnrepresentableError for what the format cannot hold.
 */
export function layOut(root: DirectoryNode, fingerprintName: string): ImageLayout {
  const inodes = enumerateInodes(root);
  const epoch = mostFrequentTime(inodes);
  for (const inode of inodes) {
    checkSymlink(inode);
    inode.extended = !inode.fitsCompact(epoch);
  }
  const fingerprint = fingerprintXattr(fingerprintName);
  const prefixOffset = roundUp(SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE, XATTR_ALIGNMENT);
  const sharedAreaOffset = roundUp(prefixOffset + fingerprint.prefixRecord.length, XATTR_ALIGNMENT);
  const { bodies, sharedArea } = packXattrs(inodes, fingerprint, sharedAreaOffset);
  inodes.forEach((inode, index) => {
    inode.xattrBody = bodies[index];
  });

  const start = roundUp(sharedAreaOffset + sharedArea.length, INODE_SLOT);
  const { metaBlock, end, nidLimit } = placeInodes(inodes, start);
  const directoryBlock = Math.ceil(end / BLOCK_SIZE);
  const dataBlock = placeBlocks(inodes, directoryBlock, (inode) => inode.node.kind !== 'file');
  const blocks = placeBlocks(inodes, dataBlock, (inode) => inode.node.kind === 'file');
  if (blocks >= NO_BLOCK_LOW) {
    throw new UnrepresentableError('/', `the image would take ${blocks} blocks of ${BLOCK_SIZE} bytes`);
  }
  return {
    inodes,
    fingerprint,
    prefixOffset: toByteOffset(prefixOffset),
    sharedAreaOffset: toByteOffset(sharedAreaOffset),
    sharedArea,
    metaBlock: toBlockAddress(metaBlock),
    directoryBlock: toBlockAddress(directoryBlock),
    dataBlock: toBlockAddress(dataBlock),
    blocks: toBlockAddress(blocks),
    epoch,
    nidLimit,
  };
}

/** The time that lets most inodes be compact; of equals the first in tree order, so that it depends on the tree alone. */
function mostFrequentTime(inodes: readonly InodePlan[]): Timestamp {
  const counts = new Map<string, { time: Timestamp; count: number }>();
  let most = { time: { seconds: 0, nanoseconds: 0 }, count: 0 };
  for (const inode of inodes) {
    if (!inode.mayBeCompact()) continue;
    const time = inode.node.mtime;
    const key = `${time.seconds}.${time.nanoseconds}`;
    const entry = counts.get(key) ?? { time, count: 0 };
    entry.count++;
    counts.set(key, entry);
  }
  for (const entry of counts.values()) if (entry.count > most.count) most = entry;
  return most.time;
}

function checkSymlink(inode: InodePlan): void {
  const { node } = inode;
  if (node.kind !== 'symlink') return;
  const { length } = node.target;
  if (length >= 1 && length <= SYMLINK_TARGET_MAX && !node.target.includes(0)) return;
  throw new UnrepresentableError(inode.shown(), `no symbolic link has a target like this (${length} bytes)`);
}

/** Gives each inode its nid and decides on inline tails. `end` is the first byte after the last inode. */
function placeInodes(
  inodes: readonly InodePlan[],
  start: number,
): { metaBlock: number; end: number; nidLimit: number } {
  let end = start;
  let metaBlock = 0;
  let nid = 0;
  for (const inode of inodes) {
    const { position, tail } = placeInode(inode, roundUp(end, INODE_SLOT));
    if (inode.parent === undefined && position / INODE_SLOT > ROOT_NID_MAX) {
      // A large shared area came first: count nids from the root's block instead.
      metaBlock = Math.floor(position / BLOCK_SIZE);
    }
    nid = (position - metaBlock * BLOCK_SIZE) / INODE_SLOT;
    inode.nid = toNid(nid);
    inode.inlineTail = tail;
    end = position + inode.headSize + tail;
  }
  return { metaBlock, end, nidLimit: nid + 1 };
}

/** A tail that stands inline must lie inside one block, the block where inode and attributes end. */
function placeInode(inode: InodePlan, earliest: number): { position: number; tail: number } {
  const tail = inode.size % BLOCK_SIZE;
  if (tail === 0 || (inode.node.kind === 'file' && tail > FILE_TAIL_MAX))
    return { position: earliest, tail: 0 };
  const fits = (position: number): boolean => {
    const used = (position + inode.headSize) % BLOCK_SIZE;
    return used !== 0 && used + tail <= BLOCK_SIZE;
  };
  if (fits(earliest)) return { position: earliest, tail };
  const nextBlock = roundUp(earliest, BLOCK_SIZE);
  if (fits(nextBlock)) return { position: nextBlock, tail };
  return { position: earliest, tail: 0 };
}

/** Gives blocks to the data of the chosen inodes, from `first` on. Returns the block after the last. */
function placeBlocks(
  inodes: readonly InodePlan[],
  first: number,
  chosen: (inode: InodePlan) => boolean,
): number {
  let next = first;
  for (const inode of inodes) {
    if (inode.blocks === 0 || !chosen(inode)) continue;
    inode.startBlock = toBlockAddress(next);
    next += inode.blocks;
  }
  return next;
}
