import { ProtocolError } from '../errors';

/**
 * The one accessor of what came from the kernel: the bytes of one request behind its header. Every read is checked
 * against the length that the kernel declared, so a short or malformed request becomes a ProtocolError.
 */
export class RequestBody {
  readonly #buffer: Buffer;
  readonly #start: number;
  readonly #end: number;
  readonly #operation: string;

  constructor(buffer: Buffer, start: number, end: number, operation: string) {
    this.#buffer = buffer;
    this.#start = start;
    this.#end = end;
    this.#operation = operation;
  }

  get length(): number {
    return this.#end - this.#start;
  }

  u32(offset: number): number {
    return this.#buffer.readUInt32LE(this.#at(offset, 4));
  }

  /** A 64-bit number that must fit in 53 bits (file offsets, our own handles and node ids). */
  u64(offset: number): number {
    const value = this.#rounded64(offset);
    if (!Number.isSafeInteger(value)) {
      throw new ProtocolError(`${this.#operation}: number at offset ${offset} is beyond 53 bits`);
    }
    return value;
  }

  /**
   * A position in a file or directory. lseek(2) and pread(2) let everybody ask for any up to 2^63 - 1: those beyond 53 bits
   * all become the largest number here, since nothing ends behind it.
   */
  position(offset: number): number {
    return Math.min(this.#rounded64(offset), Number.MAX_SAFE_INTEGER);
  }

  /** A copy of the NUL-terminated name at `offset`, without its NUL. */
  name(offset: number): Buffer {
    const at = this.#at(offset, 1);
    const nul = this.#buffer.indexOf(0, at);
    if (nul < 0 || nul >= this.#end) throw new ProtocolError(`${this.#operation}: name without an end`);
    return Buffer.from(this.#buffer.subarray(at, nul));
  }

  #rounded64(offset: number): number {
    const at = this.#at(offset, 8);
    return this.#buffer.readUInt32LE(at + 4) * 0x1_0000_0000 + this.#buffer.readUInt32LE(at);
  }

  #at(offset: number, width: number): number {
    const at = this.#start + offset;
    if (offset < 0 || at + width > this.#end) {
      throw new ProtocolError(
        `${this.#operation}: ${this.length} bytes, too short for a field of ${width} at offset ${offset}`,
      );
    }
    return at;
  }
}
