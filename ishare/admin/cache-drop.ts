import type { DropCacheRequest, DropCacheResponse } from '../../proto/admin-messages';
import type { AttachedImage, MeasuredInode } from '../inventory';
import { withPageCache } from '../worker/page-cache-thread';
import { AdminError } from './admin-error';
import { attachmentsOf } from './attachments';
import type { AdminContext } from './context';
import { requireDomain } from './domains';
import { inodesOf } from './inodes';
import { imageNamed } from './snapshot-choice';

/** Drops what nobody has mapped of some dedup inodes. Pages that come in meanwhile count as kept. */
export async function dropCache(
  context: AdminContext,
  request: DropCacheRequest,
): Promise<DropCacheResponse> {
  const { engine, log } = context;
  const choose = choiceOf(context, request);
  const { images, inodes } = await engine.measure();
  const chosen = choose(inodes, images);
  const { ishareMount } = await engine.state();
  const files = chosen.map(({ path, size }) => ({ path, size }));
  const left = await withPageCache('drop', ishareMount, files);
  const before = chosen.reduce((sum, { cachedBytes }) => sum + cachedBytes, 0);
  const kept = left.reduce((sum, bytes) => sum + bytes, 0);
  const dropped = Math.max(0, before - kept);
  log('info', 'dropped pages of shared inodes', { inodes: chosen.length, dropped, kept });
  return { inodes: chosen.length, dropped_bytes: dropped, kept_bytes: kept };
}

type Choice = (
  inodes: readonly MeasuredInode[],
  images: readonly AttachedImage[],
) => readonly MeasuredInode[];

/** Checks the request before anything is measured. */
function choiceOf({ sources }: AdminContext, { domain, image, inode, all }: DropCacheRequest): Choice {
  if (domain !== undefined) {
    requireDomain(sources, domain);
    return (inodes) => inodes.filter((each) => each.domain === domain);
  }
  if (image !== undefined) {
    const chain = imageNamed(sources, image);
    return (inodes, images) => {
      const attachments = new Set(attachmentsOf(chain, images).map(({ attachmentId }) => attachmentId));
      return inodes.filter(({ holders }) => holders.some((holder) => attachments.has(holder)));
    };
  }
  if (inode !== undefined) return (inodes) => inodesOf(inodes, inode);
  if (all === true) return (inodes) => inodes;
  throw new AdminError(
    'INVALID_ARGUMENT',
    'say whose pages are to be dropped: those of a domain, an image, an inode or all',
  );
}
