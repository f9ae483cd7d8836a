import { rawAlignedBuffer } from './raw-aligned-buffer';

/** Memory that is used again: fresh memory would cost a page fault for every 4 KiB of it. */
export class SpareBuffers {
  readonly #free: Buffer[] = [];

  /** Keeps up to `kept` pieces of `pieceBytes`, whose first bytes lie on page boundaries. */
  constructor(
    private readonly pieceBytes: number,
    private readonly kept: number,
  ) {}

  take(): Buffer {
    return this.#free.pop() ?? rawAlignedBuffer(this.pieceBytes);
  }

  giveBack(piece: Buffer): void {
    if (this.#free.length < this.kept) this.#free.push(piece);
  }

  /** Lets the memory go that waits to be used again. */
  clear(): void {
    this.#free.length = 0;
  }
}
