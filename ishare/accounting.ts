import type { DomainState, InodeState } from '../proto/admin-messages';
import type { DedupInodeState } from './inventory';

/** A dedup inode with what the kernel's page cache holds of it. */
export interface CountedInode extends DedupInodeState {
  /** Bytes in the page cache, as the kernel counts pages. */
  readonly cachedBytes: number;
}

/**
 * Bytes that the page cache would hold more of without sharing: the cached pages of the dedup inode once more for each
 * further inode through which the content was opened since its image was attached. Inodes that nobody opened would have
 * no pages and count nothing.
 */
export function savedBytes(inode: CountedInode): number {
  return inode.cachedBytes * Math.max(0, inode.openedInodes - 1);
}

export interface Totals {
  readonly cachedBytes: number;
  readonly savedBytes: number;
}

export function totals(inodes: readonly CountedInode[]): Totals {
  let cached = 0;
  let saved = 0;
  for (const inode of inodes) {
    cached += inode.cachedBytes;
    saved += savedBytes(inode);
  }
  return { cachedBytes: cached, savedBytes: saved };
}

/** The sums of one domain. `images` is the number of attached images. */
export function domainState(name: string, images: number, inodes: readonly CountedInode[]): DomainState {
  const { cachedBytes: cached_bytes, savedBytes: saved_bytes } = totals(inodes);
  return { name, images, dedup_inodes: inodes.length, cached_bytes, saved_bytes };
}

export function inodeState(inode: CountedInode): InodeState {
  return {
    fingerprint: `sha256:${inode.digest}`,
    domain: inode.domain,
    size: inode.size,
    images: inode.images.length,
    open_files: inode.openFiles,
    cached_bytes: inode.cachedBytes,
    saved_bytes: savedBytes(inode),
  };
}
