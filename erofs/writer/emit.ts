import { createHash } from 'node:crypto';
import { ftruncateSync, writeSync } from 'node:fs';
import { encodeDirectory } from './directory-blocks';
import { BLOCK_SIZE, roundUp } from './geometry';
import { encodeHeadBlock, type HeadOptions } from './head-block';
import type { ImagePlan } from './image-plan';
import type { InodePlan } from './inode-plan';
import { inodePosition, type MetadataLayout } from './layout';
import type { ProgressMeter } from './progress';
import { SequentialOutput } from './sequential-output';
import type { Spool } from './spool';
import { encodeXattrBody } from './xattrs';

export interface EmitOptions {
  /** A file that holds the content of all files; stays the caller's. */
  readonly fd: number;
  readonly plan: ImagePlan;
  readonly layout: MetadataLayout;
  readonly head: HeadOptions;
  /** Holds what stands behind inodes. */
  readonly spool: Spool;
  readonly meter: ProgressMeter;
}

/**
 * Writes all but the content of files, front to back, and the superblock last. Nothing is synced.
 *
 * Returns the UUID: a hash over all metadata, in which the fingerprints stand for the contents. The same tree gives
 * the same image, byte for byte.
 */
export async function emitMetadata(options: EmitOptions): Promise<Buffer> {
  const { fd, plan, layout, head, meter } = options;
  const hash = createHash('sha256');
  const output = new SequentialOutput(fd, layout.sharedBlock * BLOCK_SIZE, (bytes) => hash.update(bytes));
  output.put(plan.sharedArea);
  const inodes = [...plan.inodes].sort((one, other) => one.nid - other.nid);
  for (const inode of inodes) {
    emitInode(output, inode, options);
    meter.countInode();
    if (meter.due()) await meter.breathe();
  }
  for (const inode of plan.inodes) {
    if (inode.data.blocks === 0) continue;
    output.padTo(inode.data.startBlock * BLOCK_SIZE);
    output.put(splitData(inode).blocks);
    if (meter.due()) await meter.breathe();
  }
  output.padTo(layout.blocks * BLOCK_SIZE);
  output.flush();
  ftruncateSync(fd, layout.blocks * BLOCK_SIZE);
  const { block, uuid } = encodeHeadBlock(plan, layout, head, (bytes) => hash.update(bytes).digest());
  for (let done = 0; done < block.length;) done += writeSync(fd, block, done, block.length - done, done);
  meter.report();
  return uuid;
}

function emitInode(output: SequentialOutput, inode: InodePlan, { layout, spool }: EmitOptions): void {
  const { content, xattrBody, data } = inode;
  output.padTo(inodePosition(layout, inode));
  output.put(inode.encode());
  if (xattrBody !== undefined) output.put(encodeXattrBody(xattrBody, content?.fingerprint));
  if (data.inlineBytes > 0) output.put(splitData(inode).tail);
  const trailer = content?.trailer;
  if (trailer === undefined) return;
  output.padTo(roundUp(output.position, trailer.alignment));
  output.put(spool.read(trailer.offset, trailer.length));
}

/** Data of a directory or symlink: what has blocks of its own, and what stands inline. */
function splitData(inode: InodePlan): { blocks: Buffer; tail: Buffer } {
  const all = ownData(inode);
  const split = all.length - inode.data.inlineBytes;
  return { blocks: all.subarray(0, split), tail: all.subarray(split) };
}

function ownData({ node, entries }: InodePlan): Buffer {
  switch (node.kind) {
    case 'directory':
      return encodeDirectory(entries);
    case 'symlink':
      return node.target;
    case 'file':
    case 'character device':
    case 'block device':
    case 'fifo':
    case 'socket':
      throw new Error(`a ${node.kind} has no data among the metadata`);
  }
}
