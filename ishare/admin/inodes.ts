import type { InodeDetails, ShowInodeRequest } from '../../proto/admin-messages';
import { inodeState } from '../accounting';
import type { AttachedImage, MeasuredInode } from '../inventory';
import { Accounts } from './accounts';
import { AdminError } from './admin-error';
import type { AdminContext } from './context';
import { checkedFingerprint, quoted } from './request-fields';

/** A content in each domain that has it. */
export async function showInode(
  context: AdminContext,
  { fingerprint }: ShowInodeRequest,
): Promise<{ inodes: InodeDetails[] }> {
  checkedFingerprint(fingerprint);
  const accounts = await Accounts.take(context);
  return {
    inodes: inodesOf(accounts.inodes, fingerprint).map((inode) => inodeDetails(inode, accounts.images)),
  };
}

/** The inodes of one content, by its fingerprint or the first digits of it, which must be those of no other. */
export function inodesOf(inodes: readonly MeasuredInode[], fingerprint: string): MeasuredInode[] {
  const digits = checkedFingerprint(fingerprint);
  const found = inodes.filter(({ digest }) => digest?.startsWith(digits));
  const contents = new Set(found.map(({ digest }) => digest));
  if (contents.size === 0) {
    throw new AdminError(
      'NOT_FOUND',
      `no image that is attached in a domain holds ${quoted(fingerprint)} (ishare inodes ls)`,
    );
  }
  if (contents.size > 1) {
    throw new AdminError(
      'INVALID_ARGUMENT',
      `${quoted(fingerprint)} is the beginning of ${contents.size} fingerprints: give more digits`,
    );
  }
  return found;
}

/** An inode with the images that hold it, by name. */
export function inodeDetails(inode: MeasuredInode, images: readonly AttachedImage[]): InodeDetails {
  const labels = new Map(images.map(({ attachmentId, label }) => [attachmentId, label]));
  const attachments = new Set([...inode.holders, ...inode.users]);
  return {
    inode: inodeState(inode),
    holders: Array.from(attachments, (attachmentId) => ({
      // It may have been detached a moment ago.
      image: labels.get(attachmentId) ?? `attachment ${attachmentId}`,
      opened: inode.users.filter((user) => user === attachmentId).length,
    })),
  };
}
