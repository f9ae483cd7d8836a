import { INODE_SLOT } from '../format/inode';
import { BLOCK_SIZE, roundUp } from './geometry';
import type { InodePlan } from './inode-plan';

/** Gaps that later inodes may still fill: what is farther back than these stays empty, and inodes near their neighbours. */
const GAPS_MAX = 64;

/** The smallest inode fills this (bytes). */
const GAP_MIN = INODE_SLOT;

/** Bytes of the image that nobody has taken; both ends are multiples of INODE_SLOT. */
interface Gap {
  start: number;
  readonly end: number;
}

/** What stands behind an inode and its attributes. */
interface Behind {
  readonly length: number;
  readonly alignment: number;
  /** Bytes at its end that must lie in one block. */
  readonly inlineBytes: number;
}

/**
 * Finds places for inodes, one behind the other. What must lie in one block may have to begin in the next one; small
 * inodes that come later fill the gap that this leaves.
 */
export class InodePlaces {
  readonly #gaps: Gap[] = [];
  #end: number;

  /** @param start byte offset in the image, a multiple of INODE_SLOT. */
  constructor(start: number) {
    this.#end = start;
  }

  /** Byte behind all that is taken, a multiple of INODE_SLOT. */
  get end(): number {
    return this.#end;
  }

  /** Byte offset for an inode. One whose data is its own is told where it does not stand inline after all. */
  take(inode: InodePlan): number {
    const behind = behindHead(inode);
    const gap = this.#gaps.find((each) => positionIn(each, inode, behind) !== undefined);
    if (gap !== undefined) return this.#fill(gap, inode, behind);
    const position = firstPosition(this.#end, inode, behind);
    if (position === undefined) {
      if (inode.content !== undefined) throw new Error(`${inode.shown()}: no place for its inline data`);
      inode.data = { ...inode.data, blocks: Math.ceil(inode.size / BLOCK_SIZE), inlineBytes: 0 };
      return this.take(inode);
    }
    this.#leave({ start: this.#end, end: position });
    this.#end = endOf(position, inode, behind);
    return position;
  }

  #fill(gap: Gap, inode: InodePlan, behind: Behind | undefined): number {
    const position = positionIn(gap, inode, behind) ?? gap.start;
    const before = { start: gap.start, end: position };
    gap.start = endOf(position, inode, behind);
    if (gap.end - gap.start < GAP_MIN) this.#gaps.splice(this.#gaps.indexOf(gap), 1);
    this.#leave(before);
    return position;
  }

  #leave(gap: Gap): void {
    if (gap.end - gap.start < GAP_MIN) return;
    this.#gaps.push(gap);
    if (this.#gaps.length > GAPS_MAX) this.#gaps.shift();
  }
}

function behindHead({ content, data }: InodePlan): Behind | undefined {
  if (content !== undefined) return content.trailer;
  const { inlineBytes } = data;
  return inlineBytes > 0 ? { length: inlineBytes, alignment: 1, inlineBytes } : undefined;
}

function positionIn({ start, end }: Gap, inode: InodePlan, behind: Behind | undefined): number | undefined {
  if (start + inode.headSize + (behind?.length ?? 0) > end) return undefined;
  const position = firstPosition(start, inode, behind);
  return position !== undefined && endOf(position, inode, behind) <= end ? position : undefined;
}

/** The first position from `earliest` on, a multiple of INODE_SLOT, where what must lie in one block does. */
function firstPosition(
  earliest: number,
  { headSize }: InodePlan,
  behind: Behind | undefined,
): number | undefined {
  if (behind === undefined || behind.inlineBytes === 0) return earliest;
  for (let position = earliest; position < earliest + BLOCK_SIZE; position += INODE_SLOT) {
    const end = roundUp(position + headSize, behind.alignment) + behind.length;
    const used = (end - behind.inlineBytes) % BLOCK_SIZE;
    // Not at the start of a block, as mkfs.erofs has it too.
    if (used !== 0 && used + behind.inlineBytes <= BLOCK_SIZE) return position;
  }
  return undefined;
}

function endOf(position: number, { headSize }: InodePlan, behind: Behind | undefined): number {
  let end = position + headSize;
  if (behind !== undefined) end = roundUp(end, behind.alignment) + behind.length;
  return roundUp(end, INODE_SLOT);
}
