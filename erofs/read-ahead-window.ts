import type { SpareBuffers } from '../linux/spare-buffers';
import type { CacheEntry } from './cache-budget';

/**
 * A stretch of a source that is read as a whole. Whoever looks at its bytes holds it meanwhile; once it has been evicted and
 * nobody holds it, its memory is used again.
 */
export class Window implements CacheEntry {
  touched = false;
  readonly bytes: Promise<Buffer>;
  /** The bytes once they are here. */
  loaded: Buffer | undefined;
  /** Gone once it may not be used again. */
  #piece: Buffer | undefined;
  #holders = 0;
  #evicted = false;

  /** `read` puts the bytes in the memory that it is given, or in other. */
  constructor(
    readonly number: number,
    readonly weight: number,
    private readonly memory: SpareBuffers,
    private readonly owner: Map<number, Window>,
    read: (piece: Buffer) => Promise<Buffer>,
  ) {
    const piece = memory.take();
    this.#piece = piece;
    this.hold();
    this.bytes = read(piece);
    const ended = (): void => this.release();
    this.bytes.then((loaded) => (this.loaded = loaded)).then(ended, ended);
  }

  hold(): void {
    this.#holders++;
  }

  release(): void {
    this.#holders--;
    this.#reuse();
  }

  /** Somebody keeps a view of the bytes: their memory belongs to this window for good. */
  share(): void {
    this.#piece = undefined;
  }

  evict(): void {
    if (this.owner.get(this.number) === this) this.owner.delete(this.number);
    this.#evicted = true;
    this.#reuse();
  }

  #reuse(): void {
    if (!this.#evicted || this.#holders > 0 || this.#piece === undefined) return;
    this.memory.giveBack(this.#piece);
    this.#piece = undefined;
  }
}
