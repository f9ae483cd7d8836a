import type { ContentFeed } from '../content';
import type { SparseFile } from './sparse';

/** Gives the next bytes of what is in the stream of a file; undefined at their end. */
export type StoredBytes = () => Promise<Buffer | undefined>;

/** The content of a file with holes, made of what the stream has of it: holes are zeros. */
export class SparseFeed implements ContentFeed {
  #position = 0;
  /** The first stretch that is not wholly given. */
  #next = 0;
  #piece: Buffer = Buffer.alloc(0);

  constructor(
    private readonly file: SparseFile,
    private readonly stored: StoredBytes,
  ) {}

  async read(target: Buffer): Promise<number> {
    const wanted = target.subarray(0, Math.min(target.length, this.file.size - this.#position));
    const stretch = this.file.stretches[this.#next];
    const hole =
      stretch === undefined ? wanted.length : Math.min(wanted.length, stretch.start - this.#position);
    if (stretch === undefined || hole > 0) {
      wanted.fill(0, 0, hole);
      this.#position += hole;
      return hole;
    }
    if (this.#piece.length === 0) this.#piece = (await this.stored()) ?? this.#piece;
    const end = stretch.start + stretch.length;
    const count = this.#piece.copy(wanted, 0, 0, Math.min(wanted.length, end - this.#position));
    this.#piece = this.#piece.subarray(count);
    this.#position += count;
    if (this.#position === end) this.#next++;
    return count;
  }

  verify(): void {
    // The stream is checked as a whole.
  }
}
