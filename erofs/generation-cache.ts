/**
 * A bounded map that keeps what was used lately: entries live in a young and an old generation, a hit in the old one
 * makes an entry young again, and when the young one is full the old one is forgotten as a whole. Hits in the
 * young generation, nearly all of them, cost one map access.
 */
export class GenerationCache<Key, Value> {
  #young = new Map<Key, Value>();
  #old = new Map<Key, Value>();

  /** Holds at most `limit` entries, and at least the `limit / 2` used last. */
  constructor(readonly limit: number) {}

  get(key: Key): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: Key, value: Value): void {
    if (this.#young.size >= this.limit / 2) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
