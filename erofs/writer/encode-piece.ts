import type { FillingEncoder } from '../compression/system-encoders';
import { EXTENT_LENGTH_MAX } from '../format/compression';
import { BLOCK_SIZE } from './geometry';

/** A stretch of a file that one pcluster holds. */
export interface EncodedExtent {
  /** Bytes of the file. */
  readonly length: number;
  /** Blocks of the pcluster; 0: it stands behind the index of its inode. */
  readonly blocks: number;
  /** The pcluster holds the bytes as they are. */
  readonly plain: boolean;
}

/** A piece of a file in pclusters. */
export interface EncodedPiece {
  readonly extents: readonly EncodedExtent[];
  /** Bytes of all pclusters, a multiple of the block size: the front of the output. */
  readonly bytes: number;
  /** Bytes behind those: the pcluster that has no blocks. */
  readonly inlineBytes: number;
}

export interface PieceLimits {
  /** Bytes of the largest pcluster. */
  readonly pclusterSize: number;
  /** Largest pcluster that may stand behind the index (bytes); 0: none, or the piece is not the end of its file. */
  readonly inlineMax: number;
  /** Bytes that the piece takes where it is stored as it is. */
  readonly plainBytes: number;
}

/** Room that an output must have beyond the length of the piece (bytes). */
export function outputSlack(pclusterSize: number): number {
  return pclusterSize + BLOCK_SIZE;
}

/**
 * Longest extent (bytes): who reads a byte of it decodes all before that byte. Large pclusters need more, or Zstandard
 * would not fill them.
 */
function extentLimit(pclusterSize: number): number {
  return Math.min(Math.max(1024 * 1024, 8 * pclusterSize), EXTENT_LENGTH_MAX);
}

/**
 * Cuts a piece of a file into extents and encodes each into one pcluster, which is filled as far as it goes. What does
 * not become smaller stands in plain pclusters of one block. Undefined where the whole would take no less than
 * `plainBytes`.
 *
 * Streams end where their pcluster ends, with zeros before them (LZ4_0PADDING). An extent begins at most once in each
 * block of the file, because all but the last of a piece are longer than a block, or exactly one: pieces must start at
 * a multiple of the block size.
 */
export function encodePiece(
  input: Buffer,
  output: Buffer,
  encoder: FillingEncoder,
  limits: PieceLimits,
): EncodedPiece | undefined {
  return new PieceEncoder(input, output, encoder, limits).run();
}

class PieceEncoder {
  readonly #extents: EncodedExtent[] = [];
  readonly #extentMax: number;
  /** Bytes of the piece that have their pcluster. */
  #done = 0;
  /** Bytes of pclusters. */
  #used = 0;
  /** Bytes of the extent before: the next may have as many. */
  #expected: number | undefined;

  constructor(
    private readonly input: Buffer,
    private readonly output: Buffer,
    private readonly encoder: FillingEncoder,
    private readonly limits: PieceLimits,
  ) {
    this.#extentMax = extentLimit(limits.pclusterSize);
  }

  run(): EncodedPiece | undefined {
    const { input, limits } = this;
    let inlineBytes = 0;
    while (this.#done < input.length) {
      const left = input.length - this.#done;
      if (left <= BLOCK_SIZE && limits.inlineMax === 0) {
        this.#storePlain(left);
      } else {
        const filling = this.#fill(limits.pclusterSize);
        if (filling.consumed === left && limits.inlineMax > 0) {
          inlineBytes = this.#finish(filling.produced);
        } else {
          this.#keep(filling.consumed, filling.produced);
        }
      }
      if (this.#used + inlineBytes >= limits.plainBytes) return undefined;
    }
    return { extents: this.#extents, bytes: this.#used, inlineBytes };
  }

  /** Encodes into the output behind what is there already. */
  #fill(capacity: number): { consumed: number; produced: number } {
    const offered = this.input.subarray(this.#done, this.#done + this.#extentMax);
    const room = this.output.subarray(this.#used, this.#used + capacity);
    const filling = this.encoder.fill(offered, room, this.#expected);
    if (filling.consumed > 0 && capacity === this.limits.pclusterSize) this.#expected = filling.consumed;
    return filling;
  }

  /** Keeps the stream that stands at the end of the output, where it is smaller than what it stands for. */
  #keep(consumed: number, produced: number): void {
    const blocks = Math.ceil(produced / BLOCK_SIZE);
    if (consumed <= blocks * BLOCK_SIZE) {
      // A whole pcluster's worth: another attempt at each block would cost as much as this one did.
      const run = Math.min(this.input.length - this.#done, this.limits.pclusterSize);
      const whole = Math.floor(run / BLOCK_SIZE) * BLOCK_SIZE;
      for (let stored = 0; stored < whole; stored += BLOCK_SIZE) this.#storePlain(BLOCK_SIZE);
      if (whole === 0) this.#storePlain(run);
      return;
    }
    const padding = blocks * BLOCK_SIZE - produced;
    this.output.copyWithin(this.#used + padding, this.#used, this.#used + produced);
    this.output.fill(0, this.#used, this.#used + padding);
    this.#add({ length: consumed, blocks, plain: false });
  }

  /**
   * The end of the file is within reach, and a stream of `produced` bytes holds it. Puts what it can behind the index;
   * returns the bytes there, 0 where this is not the last step yet or the end takes blocks.
   */
  #finish(produced: number): number {
    const { inlineMax } = this.limits;
    const left = this.input.length - this.#done;
    if (produced > 0 && produced < left && produced <= inlineMax) {
      this.#add({ length: left, blocks: 0, plain: false });
      return produced;
    }
    if (produced > BLOCK_SIZE && produced % BLOCK_SIZE > 0) {
      // Whole blocks first; what is left then is less than a block, and gets another look.
      const shorter = this.#fill(Math.floor(produced / BLOCK_SIZE) * BLOCK_SIZE);
      this.#keep(shorter.consumed, shorter.produced);
      return 0;
    }
    if (left <= inlineMax) {
      this.input.copy(this.output, this.#used, this.#done);
      this.#add({ length: left, blocks: 0, plain: true });
      return left;
    }
    this.#keep(left, produced);
    return 0;
  }

  /** At most one block. */
  #storePlain(length: number): void {
    this.input.copy(this.output, this.#used, this.#done, this.#done + length);
    this.output.fill(0, this.#used + length, this.#used + BLOCK_SIZE);
    this.#add({ length, blocks: 1, plain: true });
  }

  #add(extent: EncodedExtent): void {
    this.#extents.push(extent);
    this.#done += extent.length;
    this.#used += extent.blocks * BLOCK_SIZE;
  }
}
