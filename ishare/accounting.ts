import type { DomainState, InodeState } from '../proto/admin-messages';
import type { MeasuredInode } from './inventory';

/**
 * Bytes that the page cache would hold more of without sharing: the cached pages of the dedup inode once more for each
 * further inode through which the content was opened since its pages came in. Inodes that nobody opened would have no
 * pages and count nothing.
 */
export function savedBytes(inode: MeasuredInode): number {
  return inode.cachedBytes * Math.max(0, inode.users.length - 1);
}

export interface Totals {
  readonly cachedBytes: number;
  readonly savedBytes: number;
}

export function totals(inodes: readonly MeasuredInode[]): Totals {
  let cached = 0;
  let saved = 0;
  for (const inode of inodes) {
    cached += inode.cachedBytes;
    saved += savedBytes(inode);
  }
  return { cachedBytes: cached, savedBytes: saved };
}

/** What containers use: users that no running container is behind count nothing. */
export function usedBy(inode: MeasuredInode, running: ReadonlySet<number>): MeasuredInode {
  return { ...inode, users: inode.users.filter((attachmentId) => running.has(attachmentId)) };
}

/**
 * The part of each attachment in what is cached and saved. A dedup inode's bytes are split evenly among its users, so that
 * the parts of all attachments add up to the totals, but for pages that nobody uses.
 */
export function partsByAttachment(inodes: readonly MeasuredInode[]): ReadonlyMap<number, Totals> {
  const parts = new Map<number, Totals>();
  for (const inode of inodes) {
    const { users } = inode;
    const cached = inode.cachedBytes / users.length;
    const saved = savedBytes(inode) / users.length;
    for (const attachmentId of users) {
      const { cachedBytes, savedBytes: before } = parts.get(attachmentId) ?? NOTHING;
      parts.set(attachmentId, { cachedBytes: cachedBytes + cached, savedBytes: before + saved });
    }
  }
  return parts;
}

const NOTHING: Totals = { cachedBytes: 0, savedBytes: 0 };

/**
 * The part of some attachments, in whole bytes. `among`: how many have equal shares in an attachment, such as containers
 * of the same image; one where it is left out.
 */
export function partOf(
  attachments: Iterable<number>,
  parts: ReadonlyMap<number, Totals>,
  among: (attachmentId: number) => number = () => 1,
): Totals {
  let cached = 0;
  let saved = 0;
  for (const attachmentId of attachments) {
    const part = parts.get(attachmentId) ?? NOTHING;
    cached += part.cachedBytes / among(attachmentId);
    saved += part.savedBytes / among(attachmentId);
  }
  return { cachedBytes: Math.round(cached), savedBytes: Math.round(saved) };
}

/** The sums of one domain. `images` is the number of attached images. */
export function domainState(name: string, images: number, inodes: readonly MeasuredInode[]): DomainState {
  const { cachedBytes: cached_bytes, savedBytes: saved_bytes } = totals(inodes);
  return { name, images, dedup_inodes: inodes.length, cached_bytes, saved_bytes };
}

/** How an inode is named to people: by what all its files contain, or by where it is. */
export function inodeState(inode: MeasuredInode): InodeState {
  return {
    fingerprint: inode.digest === undefined ? '' : `sha256:${inode.digest}`,
    domain: inode.domain,
    size: inode.size,
    images: inode.holders.length,
    open_files: inode.openFiles,
    cached_bytes: inode.cachedBytes,
    saved_bytes: savedBytes(inode),
  };
}
