import { collectYoungGarbage } from '../../collect-garbage';

/** Pieces that have passed by before they are freed (bytes): V8 counts what stands for them in its heap, which is little. */
const FREED_AT_ONCE = 8 * 1024 * 1024;

/** Bytes that come in pieces of any size, taken in pieces of any other. */
export class ByteStream {
  #piece: Buffer = Buffer.alloc(0);
  #next: Promise<IteratorResult<Buffer, unknown>>;
  #ended = false;
  #position = 0;
  /** Bytes of pieces since the last were freed. */
  #passed = 0;

  /** Pieces must not change once they have been given. One piece is always asked for ahead of its time. */
  constructor(private readonly pieces: AsyncIterator<Buffer>) {
    this.#next = this.#ahead();
  }

  /** Byte offset of what is taken next. */
  get position(): number {
    return this.#position;
  }

  /** The next bytes, at least one and at most `max`; undefined at the end. May be a view of a larger piece. */
  async some(max: number): Promise<Buffer | undefined> {
    if (this.#piece.length === 0 && !(await this.#refill())) return undefined;
    return this.#cut(max);
  }

  /** The next `length` bytes, fewer only at the end. May be a view of a larger piece. */
  async take(length: number): Promise<Buffer> {
    if (this.#piece.length >= length) return this.#cut(length);
    const parts: Buffer[] = [];
    for (let missing = length; missing > 0;) {
      const part = await this.some(missing);
      if (part === undefined) break;
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  #cut(max: number): Buffer {
    const bytes = this.#piece.subarray(0, max);
    this.#piece = this.#piece.subarray(bytes.length);
    this.#position += bytes.length;
    return bytes;
  }

  async #refill(): Promise<boolean> {
    while (!this.#ended && this.#piece.length === 0) {
      const { done, value } = await this.#next;
      if (done === true) {
        this.#ended = true;
      } else {
        this.#piece = value;
        this.#passed += value.length;
        if (this.#passed >= FREED_AT_ONCE) {
          this.#passed = 0;
          collectYoungGarbage();
        }
        this.#next = this.#ahead();
      }
    }
    return !this.#ended;
  }

  #ahead(): Promise<IteratorResult<Buffer, unknown>> {
    const next = this.pieces.next();
    // A failure is told to whoever comes for the piece; until then it must not count as nobody's.
    next.catch(() => undefined);
    return next;
  }
}
