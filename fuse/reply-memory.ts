/** Pieces kept for the next replies; a kernel that reads ahead has a few READs under way (4 MiB at the usual 1 MiB). */
const KEPT = 4;

/**
 * Memory for the bodies of large replies, used again and again: fresh memory for each would cost a page fault for every
 * 4 KiB of it, and V8 a collection for every few replies.
 */
export class ReplyMemory {
  readonly #free: Buffer[] = [];

  /** `pieceBytes`: the largest body that comes from here. */
  constructor(readonly pieceBytes: number) {}

  /** What one request may take; see ReplyLease. */
  lease(): ReplyLease {
    return new ReplyLease(this);
  }

  /** @internal */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.pieceBytes);
  }

  /** @internal */
  giveBack(piece: Buffer): void {
    if (this.#free.length < KEPT) this.#free.push(piece);
  }
}

/**
 * Memory for the answer to one request. It holds whatever it held before, and is gone once the answer is written: nothing
 * may be kept in it. Where the request fails it is not used again, since work that was begun may still write to it.
 */
export class ReplyLease {
  readonly #taken: Buffer[] = [];

  constructor(private readonly memory: ReplyMemory) {}

  /** `length` bytes. */
  readonly allocate = (length: number): Buffer => {
    if (length > this.memory.pieceBytes) return Buffer.allocUnsafeSlow(length);
    const piece = this.memory.take();
    this.#taken.push(piece);
    return piece.subarray(0, length);
  };

  /** After the answer was written. */
  end(): void {
    for (const piece of this.#taken) this.memory.giveBack(piece);
    this.#taken.length = 0;
  }
}
