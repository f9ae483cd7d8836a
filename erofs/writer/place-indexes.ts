import { MAP_HEADER_ALIGNMENT } from '../format/compression';
import { encodeCompactIndex } from './compact-index';
import { roundUp } from './geometry';
import type { InodePlan } from './inode-plan';
import type { Pace } from './pace';
import type { Spool } from './spool';
import { readExtents, spooledEnd } from './spooled-extents';
import type { StoredContent, Trailer, WaitingIndex } from './stored-content';

/**
 * Makes the indexes of compressed files, which then wait in the spool too. How an index is packed depends on where it stands
 * behind its inode, so the bytes of all inodes and their attributes must be known, and all contents stored.
 */
export async function placeIndexes(inodes: readonly InodePlan[], spool: Spool, pace: Pace): Promise<void> {
  for (const inode of inodes) {
    const { content } = inode;
    if (content?.index === undefined) continue;
    inode.content = {
      ...content,
      trailer: makeIndex(inode, content, content.index, spool),
      index: undefined,
    };
    if (pace.due()) await pace.breathe();
  }
}

function makeIndex(
  { size, headSize }: InodePlan,
  { startBlock }: StoredContent,
  { extents, inlineBytes, algorithm, bigPclusters }: WaitingIndex,
  spool: Spool,
): Trailer {
  const index = encodeCompactIndex(
    { extents: readExtents(spool, extents), size, startBlock, algorithm, bigPclusters, inlineBytes },
    roundUp(headSize, MAP_HEADER_ALIGNMENT),
  );
  const inline = spool.read(spooledEnd(extents), inlineBytes);
  const offset = spool.append(index);
  spool.append(inline);
  return { offset, length: index.length + inlineBytes, alignment: MAP_HEADER_ALIGNMENT, inlineBytes };
}
