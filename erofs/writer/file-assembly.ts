import { toBlockAddress, type BlockAddress } from '../brands';
import { DATA_LAYOUT } from '../format/inode';
import { MAP_HEADER_ALIGNMENT, type Algorithm } from '../format/compression';
import { encodeCompactIndex } from './compact-index';
import type { EncodedExtent, EncodedPiece } from './encode-piece';
import { BLOCK_SIZE, INLINE_TAIL_MAX, roundUp } from './geometry';
import type { SequentialOutput } from './sequential-output';
import type { Spool } from './spool';
import type { StoredContent, Trailer } from './stored-content';

/** How a file is compressed, as far as its index says it. */
export interface AssemblyCompression {
  readonly algorithm: Algorithm;
  readonly bigPclusters: boolean;
  /** Its end may stand behind its inode. */
  readonly inlineTail: boolean;
}

/** Bytes of the end of a plain file that stand behind its inode. */
export function plainTail(size: number): number {
  const tail = size % BLOCK_SIZE;
  return tail <= INLINE_TAIL_MAX ? tail : 0;
}

/**
 * Puts the pieces of one file into the image, front to back, as they were encoded or as they are. A file of which no
 * piece became smaller is a plain one.
 */
export class FileAssembly {
  readonly #startBlock: BlockAddress;
  #extents: EncodedExtent[] = [];
  /** Bytes that were stored as they are before anything else was. */
  #plain = 0;
  /** What stands behind the inode, where the file is plain, or behind its index. */
  #inline: Buffer = Buffer.alloc(0);

  /**
   * @param headSize bytes of the file's inode and attributes.
   * @param compression undefined: nothing will be encoded.
   */
  constructor(
    private readonly output: SequentialOutput,
    private readonly spool: Spool,
    private readonly headSize: number,
    private readonly compression: AssemblyCompression | undefined,
  ) {
    this.#startBlock = toBlockAddress(output.position / BLOCK_SIZE);
  }

  /** @param pclusters what `encoded` describes: its blocks, then what stands inline. */
  addEncoded(encoded: EncodedPiece, pclusters: Buffer): void {
    this.#admitPlain();
    this.output.put(pclusters.subarray(0, encoded.bytes));
    if (encoded.inlineBytes > 0) this.#inline = Buffer.from(pclusters.subarray(encoded.bytes));
    this.#extents.push(...encoded.extents);
  }

  /** @param final it ends the file; else it has whole blocks. */
  addPlain(bytes: Buffer, final: boolean): void {
    const tail = final && this.#mayEndInline() ? plainTail(bytes.length) : 0;
    const whole = bytes.length - tail;
    this.output.put(bytes.subarray(0, whole));
    this.output.padTo(roundUp(this.output.position, BLOCK_SIZE));
    if (tail > 0) this.#inline = Buffer.from(bytes.subarray(whole));
    if (this.#extents.length === 0) {
      this.#plain += whole;
      return;
    }
    this.#addPlainExtents(whole);
    if (tail > 0) this.#extents.push({ length: tail, blocks: 0, plain: true });
  }

  /** @param fingerprint value of the attribute. */
  finish(fingerprint: Buffer): StoredContent {
    const blocks = this.output.position / BLOCK_SIZE - this.#startBlock;
    const common = { fingerprint, startBlock: this.#startBlock, blocks, algorithm: undefined };
    if (this.#extents.length > 0) {
      const algorithm = this.compression?.algorithm;
      return { ...common, algorithm, layout: DATA_LAYOUT.COMPRESSED_COMPACT, trailer: this.#spoolIndex() };
    }
    const { length } = this.#inline;
    if (length === 0) return { ...common, layout: DATA_LAYOUT.FLAT_PLAIN, trailer: undefined };
    const offset = this.spool.append(this.#inline);
    return {
      ...common,
      layout: DATA_LAYOUT.FLAT_INLINE,
      trailer: { offset, length, alignment: 1, inlineBytes: length },
    };
  }

  #mayEndInline(): boolean {
    return this.#extents.length === 0 || this.compression?.inlineTail === true;
  }

  /** What was plain so far becomes plain pclusters: they stand where they are. */
  #admitPlain(): void {
    if (this.#extents.length > 0) return;
    this.#addPlainExtents(this.#plain);
  }

  #addPlainExtents(bytes: number): void {
    for (let left = bytes; left > 0; left -= BLOCK_SIZE) {
      this.#extents.push({ length: Math.min(left, BLOCK_SIZE), blocks: 1, plain: true });
    }
  }

  #spoolIndex(): Trailer {
    if (this.compression === undefined) throw new Error('a compressed file without an algorithm');
    const { algorithm, bigPclusters } = this.compression;
    const index = encodeCompactIndex(
      {
        extents: this.#extents,
        startBlock: this.#startBlock,
        algorithm,
        bigPclusters,
        inlineBytes: this.#inline.length,
      },
      roundUp(this.headSize, MAP_HEADER_ALIGNMENT),
    );
    const offset = this.spool.append(index);
    this.spool.append(this.#inline);
    return {
      offset,
      length: index.length + this.#inline.length,
      alignment: MAP_HEADER_ALIGNMENT,
      inlineBytes: this.#inline.length,
    };
  }
}
