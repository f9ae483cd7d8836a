import type { CacheBudget, CacheEntry } from '../cache-budget';

class Decoded implements CacheEntry {
  touched = false;

  constructor(
    readonly bytes: Buffer,
    readonly key: string,
    private readonly owner: Map<string, Decoded>,
  ) {}

  get weight(): number {
    return this.bytes.length;
  }

  evict(): void {
    this.owner.delete(this.key);
  }
}

interface Pending {
  readonly length: number;
  readonly bytes: Promise<Buffer>;
}

/**
 * Decoded pclusters of one image, within a budget that images may share. Whoever wants one that is being decoded
 * waits for it: none is decoded twice at a time.
 */
export class DecodedCache {
  readonly #entries = new Map<string, Decoded>();
  readonly #pending = new Map<string, Pending>();
  #closed = false;

  constructor(private readonly budget: CacheBudget) {}

  /** At least the first `length` bytes of a pcluster if they are here, or on their way; else undefined. */
  get(key: string, length: number): Buffer | Promise<Buffer> | undefined {
    const entry = this.#entries.get(key);
    if (entry !== undefined && entry.bytes.length >= length) {
      entry.touched = true;
      return entry.bytes;
    }
    const pending = this.#pending.get(key);
    return pending !== undefined && pending.length >= length ? pending.bytes : undefined;
  }

  /** Takes in what was decoded, or will be, which has `length` bytes; gives the same back. */
  add(key: string, length: number, bytes: Buffer | Promise<Buffer>): Buffer | Promise<Buffer> {
    if (!(bytes instanceof Promise)) {
      this.#keep(key, bytes);
      return bytes;
    }
    const pending: Pending = { length, bytes };
    this.#pending.set(key, pending);
    const forget = (): void => {
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
    };
    // The failure is for those who wait for `bytes`; here it only means that there is nothing to keep.
    bytes
      .then(
        (decoded) => this.#keep(key, decoded),
        () => undefined,
      )
      .finally(forget);
    return bytes;
  }

  /** Forgets everything, and keeps nothing from here on. */
  clear(): void {
    this.#closed = true;
    for (const entry of this.#entries.values()) this.budget.remove(entry);
    this.#entries.clear();
  }

  #keep(key: string, bytes: Buffer): void {
    if (this.#closed) return;
    const before = this.#entries.get(key);
    if (before !== undefined) {
      if (before.bytes.length >= bytes.length) return;
      this.budget.remove(before);
    }
    const entry = new Decoded(bytes, key, this.#entries);
    this.#entries.set(key, entry);
    this.budget.add(entry);
  }
}
