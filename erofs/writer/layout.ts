import { toBlockAddress, toByteOffset, toNid, type BlockAddress, type ByteOffset } from '../brands';
import { INODE_SLOT, NO_BLOCK_LOW } from '../format/inode';
import { UnrepresentableError } from './errors';
import { BLOCK_SIZE, roundUp } from './geometry';
import type { ImagePlan } from './image-plan';
import type { InodePlan } from './inode-plan';
import { InodePlaces } from './inode-places';

/** Largest nid of a root that needs no 48BIT. */
const ROOT_NID_MAX = 0xffff;

/**
 * Where the metadata stands, behind the content of files: shared xattrs, inodes with their attributes and what stands
 * behind those, blocks of directories and of long symlinks.
 */
export interface MetadataLayout {
  /** First block of all metadata but the superblock's; ids of shared xattrs count from here. */
  readonly sharedBlock: BlockAddress;
  /** Block of nid 0. */
  readonly metaBlock: BlockAddress;
  /** First block of a directory or symlink, after the inodes. */
  readonly directoryBlock: BlockAddress;
  /** Blocks of the whole image. */
  readonly blocks: BlockAddress;
  /** One past the largest nid. */
  readonly nidLimit: number;
}

/** Byte offset of an inode in the image. */
export function inodePosition(layout: MetadataLayout, inode: InodePlan): ByteOffset {
  return toByteOffset(layout.metaBlock * BLOCK_SIZE + inode.nid * INODE_SLOT);
}

/**
 * Gives each inode its nid, and blocks to directories and symlinks. The content of files must be stored.
 *
 * @param sharedBlock block behind the content. Throws UnrepresentableError for what the format cannot hold.
 */
export function layOutMetadata({ inodes, sharedArea }: ImagePlan, sharedBlock: number): MetadataLayout {
  const start = roundUp(sharedBlock * BLOCK_SIZE + sharedArea.length, INODE_SLOT);
  // A large shared area pushes the root away: its nid must be small all the same.
  const metaBlock =
    start - sharedBlock * BLOCK_SIZE > ROOT_NID_MAX * INODE_SLOT
      ? Math.floor(start / BLOCK_SIZE)
      : sharedBlock;
  const places = new InodePlaces(start);
  let nidLimit = 0;
  for (const inode of inodes) {
    if (inode.content === undefined) inode.data = wantedData(inode);
    const nid = (places.take(inode) - metaBlock * BLOCK_SIZE) / INODE_SLOT;
    inode.nid = toNid(nid);
    nidLimit = Math.max(nidLimit, nid + 1);
  }
  const directoryBlock = Math.ceil(places.end / BLOCK_SIZE);
  const blocks = placeBlocks(inodes, directoryBlock);
  if (blocks >= NO_BLOCK_LOW) {
    throw new UnrepresentableError('/', `the image would take ${blocks} blocks of ${BLOCK_SIZE} bytes`);
  }
  return {
    sharedBlock: toBlockAddress(sharedBlock),
    metaBlock: toBlockAddress(metaBlock),
    directoryBlock: toBlockAddress(directoryBlock),
    blocks: toBlockAddress(blocks),
    nidLimit,
  };
}

/** Directories and symlinks: the end stands inline where it can. */
function wantedData({ size }: InodePlan): InodePlan['data'] {
  const inlineBytes = size % BLOCK_SIZE;
  return { startBlock: 0, blocks: Math.floor(size / BLOCK_SIZE), inlineBytes };
}

/** Gives blocks to the data of directories and symlinks, from `first` on. Returns the block after the last. */
function placeBlocks(inodes: readonly InodePlan[], first: number): number {
  let next = first;
  for (const inode of inodes) {
    const { data } = inode;
    if (data.blocks === 0) continue;
    inode.data = { ...data, startBlock: next };
    next += data.blocks;
  }
  return next;
}
