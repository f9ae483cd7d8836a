import { toBlockAddress, type BlockAddress } from '../brands';
import { DATA_LAYOUT } from '../format/inode';
import type { Algorithm } from '../format/compression';
import type { EncodedExtent, EncodedPiece } from './encode-piece';
import { BLOCK_SIZE, INLINE_TAIL_MAX, roundUp } from './geometry';
import type { SequentialOutput } from './sequential-output';
import type { Spool } from './spool';
import { spoolExtents, type SpooledExtents } from './spooled-extents';
import type { StoredContent, WaitingIndex } from './stored-content';

/** How a file is compressed, as far as its index says it. */
export interface AssemblyCompression {
  readonly algorithm: Algorithm;
  readonly bigPclusters: boolean;
  /** Its end may stand behind its inode. */
  readonly inlineTail: boolean;
}

/** Extents that are made before they go to the spool. */
const SPOOLED_AT_ONCE = 1024;

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
  /** Undefined: all of the file is plain so far. They wait in the spool: a large file has many. */
  #extents: SpooledExtents | undefined;
  /** Bytes that were stored as they are before anything else was. */
  #plain = 0;
  /** What stands behind the inode, where the file is plain, or behind its index. */
  #inline: Buffer = Buffer.alloc(0);

  /**
   * @param compression undefined: nothing will be encoded.
   */
  constructor(
    private readonly output: SequentialOutput,
    private readonly spool: Spool,
    private readonly compression: AssemblyCompression | undefined,
  ) {
    this.#startBlock = toBlockAddress(output.position / BLOCK_SIZE);
  }

  /** @param pclusters what `encoded` describes: its blocks, then what stands inline. */
  addEncoded(encoded: EncodedPiece, pclusters: Buffer): void {
    this.#admitPlain();
    this.output.put(pclusters.subarray(0, encoded.bytes));
    if (encoded.inlineBytes > 0) this.#inline = Buffer.from(pclusters.subarray(encoded.bytes));
    this.#spool(encoded.extents);
  }

  /** @param final it ends the file; else it has whole blocks. */
  addPlain(bytes: Buffer, final: boolean): void {
    const tail = final && this.#mayEndInline() ? plainTail(bytes.length) : 0;
    const whole = bytes.length - tail;
    this.output.put(bytes.subarray(0, whole));
    this.output.padTo(roundUp(this.output.position, BLOCK_SIZE));
    if (tail > 0) this.#inline = Buffer.from(bytes.subarray(whole));
    if (this.#extents === undefined) {
      this.#plain += whole;
      return;
    }
    this.#addPlainExtents(whole);
    if (tail > 0) this.#spool([{ length: tail, blocks: 0, plain: true }]);
  }

  /** @param fingerprint value of the attribute. */
  finish(fingerprint: Buffer): StoredContent {
    const blocks = this.output.position / BLOCK_SIZE - this.#startBlock;
    const common = { fingerprint, startBlock: this.#startBlock, blocks };
    if (this.#extents !== undefined) {
      const index = this.#waitingIndex(this.#extents);
      const layout = DATA_LAYOUT.COMPRESSED_COMPACT;
      return { ...common, algorithm: index.algorithm, layout, trailer: undefined, index };
    }
    const plain = { ...common, algorithm: undefined, index: undefined };
    const { length } = this.#inline;
    if (length === 0) return { ...plain, layout: DATA_LAYOUT.FLAT_PLAIN, trailer: undefined };
    const offset = this.spool.append(this.#inline);
    return {
      ...plain,
      layout: DATA_LAYOUT.FLAT_INLINE,
      trailer: { offset, length, alignment: 1, inlineBytes: length },
    };
  }

  #mayEndInline(): boolean {
    return this.#extents === undefined || this.compression?.inlineTail === true;
  }

  /** What was plain so far becomes plain pclusters: they stand where they are. */
  #admitPlain(): void {
    if (this.#extents !== undefined) return;
    this.#extents = { offset: this.spool.size, count: 0 };
    this.#addPlainExtents(this.#plain);
  }

  #addPlainExtents(bytes: number): void {
    let extents: EncodedExtent[] = [];
    for (let left = bytes; left > 0; left -= BLOCK_SIZE) {
      extents.push({ length: Math.min(left, BLOCK_SIZE), blocks: 1, plain: true });
      if (extents.length < SPOOLED_AT_ONCE) continue;
      this.#spool(extents);
      extents = [];
    }
    this.#spool(extents);
  }

  /** All of a file stand side by side: only one file is put together at a time. */
  #spool(extents: readonly EncodedExtent[]): void {
    const { offset, count } = spoolExtents(this.spool, extents);
    this.#extents = { offset: this.#extents?.offset ?? offset, count: (this.#extents?.count ?? 0) + count };
  }

  #waitingIndex(extents: SpooledExtents): WaitingIndex {
    if (this.compression === undefined) throw new Error('a compressed file without an algorithm');
    this.spool.append(this.#inline);
    const { algorithm, bigPclusters } = this.compression;
    return { extents, inlineBytes: this.#inline.length, algorithm, bigPclusters };
  }
}
