import { createHash } from 'node:crypto';
import { ftruncateSync } from 'node:fs';
import { INODE_SLOT } from '../format/inode';
import { encodeDirectory } from './directory-blocks';
import { writeFileData, type FileData } from './file-data';
import { BLOCK_SIZE } from './geometry';
import type { InodePlan } from './inode-plan';
import type { ImageLayout } from './layout';
import type { Pace } from './pace';
import { ProgressMeter, type BuildProgress } from './progress';
import { SequentialOutput } from './sequential-output';
import { writeSuperblock } from './superblock';
import { encodeXattrBody } from './xattrs';

export interface EmitOptions {
  /** A new, empty file, open for reading and writing; stays the caller's. */
  readonly fd: number;
  readonly layout: ImageLayout;
  readonly pace: Pace;
  readonly onProgress?: ((progress: BuildProgress) => void) | undefined;
}

/**
 * Writes an image. The content of files goes straight to its place and is hashed on the way; inodes follow in the
 * same order, each with the fingerprint that is known by then. So both parts are written front to back, nothing is
 * read twice, and memory holds two buffers. The superblock comes last. Nothing is synced.
 *
 * Returns the UUID: a hash over all metadata, in which the fingerprints stand for the contents. The same tree gives
 * the same image, byte for byte.
 */
export async function emitImage({ fd, layout, pace, onProgress }: EmitOptions): Promise<Buffer> {
  const meter = new ProgressMeter(fd, layout.inodes, pace, onProgress);
  const metadataHash = createHash('sha256');
  const metadata = new SequentialOutput(fd, 0, (bytes) => metadataHash.update(bytes));
  metadata.padTo(layout.prefixOffset);
  metadata.put(layout.fingerprint.prefixRecord);
  metadata.padTo(layout.sharedAreaOffset);
  metadata.put(layout.sharedArea);
  const data = new SequentialOutput(fd, layout.dataBlock * BLOCK_SIZE);
  await emitInodes(metadata, data, layout, meter);
  data.flush();
  meter.report();
  await emitDirectoryBlocks(metadata, layout, pace);
  metadata.padTo(layout.dataBlock * BLOCK_SIZE);
  metadata.flush();
  ftruncateSync(fd, layout.blocks * BLOCK_SIZE);
  return writeSuperblock(fd, layout, metadataHash);
}

async function emitInodes(
  metadata: SequentialOutput,
  data: SequentialOutput,
  { inodes, metaBlock }: ImageLayout,
  meter: ProgressMeter,
): Promise<void> {
  for (const inode of inodes) {
    const { node } = inode;
    let file: FileData | undefined;
    if (node.kind === 'file' && inode.size > 0) file = await writeFileData(data, inode, node.content, meter);
    metadata.padTo(metaBlock * BLOCK_SIZE + inode.nid * INODE_SLOT);
    metadata.put(inode.encode());
    if (inode.xattrBody !== undefined) metadata.put(encodeXattrBody(inode.xattrBody, file?.fingerprint));
    if (inode.inlineTail > 0) metadata.put(file?.tail ?? splitData(inode).tail);
    meter.countInode();
    if (meter.due()) await meter.breathe();
  }
}

async function emitDirectoryBlocks(
  metadata: SequentialOutput,
  { inodes }: ImageLayout,
  pace: Pace,
): Promise<void> {
  for (const inode of inodes) {
    if (inode.regularFile || inode.blocks === 0) continue;
    metadata.padTo(inode.startBlock * BLOCK_SIZE);
    metadata.put(splitData(inode).blocks);
    if (pace.due()) await pace.breathe();
  }
}

/** Data of a directory or symlink: what has blocks of its own, and what stands inline. */
function splitData(inode: InodePlan): { blocks: Buffer; tail: Buffer } {
  const all = ownData(inode);
  const split = all.length - inode.inlineTail;
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
