import { toBlockAddress, type Nid } from '../brands';
import { CHUNK_HOLE_LOW, chunkBlockRecord } from '../format/chunk';
import { DATA_LAYOUT } from '../format/inode';
import { SOURCE_XATTR, sourceRecord } from '../format/xattr';
import type { ContentReader, ContentSource } from './content';
import { FINGERPRINT_PREFIX_ID } from './fingerprint-xattr';
import { BLOCK_SIZE } from './geometry';
import { HiddenName, type HiddenXattr } from './hidden-xattr';
import type { Spool } from './spool';
import type { StoredContent } from './stored-content';

/** Which inode of which layer. */
export interface SourceInode {
  /** Counted from 0, the topmost. */
  readonly layer: number;
  readonly nid: Nid;
}

/**
 * Content that stays in another image. The file gets its size and says where its content is; it has no fingerprint,
 * because what its own image holds is one hole. Images that have such files never have others.
 */
export class AbsentContent implements ContentSource {
  constructor(
    readonly size: number,
    private readonly source: SourceInode,
  ) {}

  /** What tells where the content is. */
  get note(): HiddenXattr {
    const value = Buffer.alloc(sourceRecord.size);
    sourceRecord.write(value, 0, this.source);
    return SOURCE_NAME.with(value);
  }

  open(): ContentReader {
    throw new Error('this content is in another image, and cannot be read');
  }
}

/** It takes the prefix that the note about codecs has elsewhere: where nothing is stored, nothing is compressed. */
const SOURCE_NAME = new HiddenName(SOURCE_XATTR, FINGERPRINT_PREFIX_ID + 1);

/** The long prefix of the notes, as it stands in the image. */
export const sourcePrefixRecord = SOURCE_NAME.prefixRecord;

/** log2 of the largest chunk over the block size that the format can say. */
const CHUNK_BITS_MAX = 31;

/** Bits of CHUNK_FORMAT for a file that is a hole: as few chunks as there can be. */
export function holeChunkFormat(size: number): number {
  let bits = 0;
  while (bits < CHUNK_BITS_MAX && BLOCK_SIZE * 2 ** bits < size) bits++;
  return bits;
}

/** Makes files of holes. What stands behind their inodes waits in the spool like that of other files. */
export class HoleContents {
  #single: number | undefined;

  constructor(private readonly spool: Spool) {}

  /** @param size of the file in bytes, at least 1. */
  of(size: number): StoredContent {
    const chunks = Math.ceil(size / (BLOCK_SIZE * 2 ** holeChunkFormat(size)));
    const length = chunks * chunkBlockRecord.size;
    return {
      fingerprint: undefined,
      layout: DATA_LAYOUT.CHUNK_BASED,
      startBlock: toBlockAddress(0),
      blocks: 0,
      trailer: { offset: this.#table(chunks), length, alignment: chunkBlockRecord.size, inlineBytes: 0 },
      index: undefined,
      algorithm: undefined,
    };
  }

  /** Nearly all files have one chunk, for which one table does. */
  #table(chunks: number): number {
    return chunks === 1 ? (this.#single ??= this.#write(1)) : this.#write(chunks);
  }

  #write(chunks: number): number {
    const table = Buffer.alloc(chunks * chunkBlockRecord.size);
    for (let chunk = 0; chunk < chunks; chunk++)
      chunkBlockRecord.write(table, chunk * chunkBlockRecord.size, { block: CHUNK_HOLE_LOW });
    return this.spool.append(table);
  }
}
