import { NO_BLOCK_LOW } from '../format/inode';
import { enumerateInodes } from './enumerate';
import { UnrepresentableError } from './errors';
import { fingerprintXattr, type FingerprintXattr } from './fingerprint-xattr';
import { BLOCK_SIZE } from './geometry';
import type { HiddenXattr } from './hidden-xattr';
import type { InodePlan } from './inode-plan';
import type { DirectoryNode, Timestamp } from './tree';
import { packXattrs } from './xattrs';

const SYMLINK_TARGET_MAX = 4095;

/** What is known of an image before any content is read. */
export interface ImagePlan {
  /** In the order of their position; the root is the first. */
  readonly inodes: readonly InodePlan[];
  readonly fingerprint: FingerprintXattr;
  /** Shared xattrs as they stand in the image. */
  readonly sharedArea: Buffer;
  /** The contents of its files are in other images. */
  readonly metadataOnly: boolean;
  /** Time of all compact inodes. */
  readonly epoch: Timestamp;
}

/**
 * Plans an image. What it costs grows with the number of entries, never with the content of files, which is not
 * looked at. Throws UnrepresentableError for what the format cannot hold.
 *
 * @param note hidden attribute of the root.
 */
export function planImage(root: DirectoryNode, fingerprintName: string, note?: HiddenXattr): ImagePlan {
  const inodes = enumerateInodes(root);
  const epoch = mostFrequentTime(inodes);
  let contentBlocks = 0;
  for (const inode of inodes) {
    checkSymlink(inode);
    inode.extended = !inode.fitsCompact(epoch);
    if (inode.regularFile && inode.absent === undefined) contentBlocks += Math.floor(inode.size / BLOCK_SIZE);
  }
  if (contentBlocks >= NO_BLOCK_LOW) {
    throw new UnrepresentableError('/', `its files have ${contentBlocks} blocks of ${BLOCK_SIZE} bytes`);
  }
  const fingerprint = fingerprintXattr(fingerprintName);
  const { bodies, sharedArea } = packXattrs(inodes, fingerprint, note);
  inodes.forEach((inode, index) => {
    inode.xattrBody = bodies[index];
  });
  const metadataOnly = inodes.some(({ absent }) => absent !== undefined);
  return { inodes, fingerprint, sharedArea, metadataOnly, epoch };
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
