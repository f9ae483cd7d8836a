import { writeSync } from 'node:fs';

/** Bytes gathered for one write(2). */
const WRITE_SIZE = 1024 * 1024;

const zeros = Buffer.alloc(WRITE_SIZE);

/**
 * One stretch of a file, written from front to back in large pieces. The file must be new: pieces that are all
 * zeros are left out, so that sparse content takes no room.
 */
export class SequentialOutput {
  readonly #buffer = Buffer.allocUnsafe(WRITE_SIZE);
  #used = 0;
  /** Where the buffer's first byte belongs. */
  #flushed: number;

  /**
   * @param fd stays the caller's.
   * @param start byte offset of the stretch in the file.
   * @param watch sees every byte in order, padding too.
   */
  constructor(
    private readonly fd: number,
    start: number,
    private readonly watch?: (bytes: Buffer) => void,
  ) {
    this.#flushed = start;
  }

  /** Byte offset in the file where the next byte goes. */
  get position(): number {
    return this.#flushed + this.#used;
  }

  /** Where the next bytes may be put, never empty; `advance` says how many were. Valid until the next call. */
  room(): Buffer {
    if (this.#used === this.#buffer.length) this.flush();
    return this.#buffer.subarray(this.#used);
  }

  /** Takes over the first `count` bytes of `room()`. */
  advance(count: number): void {
    this.#used += count;
  }

  /** Large pieces are not copied. */
  put(bytes: Buffer): void {
    let done = 0;
    if (bytes.length >= WRITE_SIZE) {
      this.flush();
      while (bytes.length - done >= WRITE_SIZE) {
        this.#emit(bytes.subarray(done, done + WRITE_SIZE));
        done += WRITE_SIZE;
      }
    }
    while (done < bytes.length) {
      const count = bytes.copy(this.room(), 0, done);
      this.advance(count);
      done += count;
    }
  }

  /** Fills with zeros up to a byte offset of the file. */
  padTo(offset: number): void {
    if (offset < this.position) throw new RangeError(`padding from ${this.position} back to ${offset}`);
    while (this.position < offset) {
      const room = this.room();
      const count = Math.min(room.length, offset - this.position);
      room.fill(0, 0, count);
      this.advance(count);
    }
  }

  flush(): void {
    const pending = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    this.#emit(pending);
  }

  #emit(bytes: Buffer): void {
    this.watch?.(bytes);
    if (!bytes.equals(zeros.subarray(0, bytes.length))) {
      for (let done = 0; done < bytes.length;) {
        done += writeSync(this.fd, bytes, done, bytes.length - done, this.#flushed + done);
      }
    }
    this.#flushed += bytes.length;
  }
}
