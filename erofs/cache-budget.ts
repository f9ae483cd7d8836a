/** One cached piece. The cache that made it finds it again by its own keys; the budget only says when it goes. */
export interface CacheEntry {
  /** Bytes it counts for. */
  readonly weight: number;
  /** Set on every hit; cleared by the budget when the entry gets its second chance. */
  touched: boolean;
  /** Called once, when the entry must go. */
  evict(): void;
}

interface Slot {
  entry: CacheEntry;
  previous: Slot;
  next: Slot;
}

/**
 * Bytes that several caches may hold together. Entries stand in a ring; when they are too many, a hand goes round
 * and takes those that were not touched since it came by last (CLOCK, a cheap stand-in for LRU: a hit sets
 * one flag and moves nothing).
 */
export class CacheBudget {
  readonly #slots = new Map<CacheEntry, Slot>();
  #hand: Slot | undefined;
  #used = 0;

  /** `limit` is in bytes. */
  constructor(readonly limit: number) {}

  /** Bytes held at present. */
  get used(): number {
    return this.#used;
  }

  /**
   * Takes an entry in, and evicts others until the limit holds. An entry above the limit is evicted at once, and no other
   * for it.
   */
  add(entry: CacheEntry): void {
    if (entry.weight > this.limit) {
      entry.evict();
      return;
    }
    const slot = { entry } as Slot;
    const hand = this.#hand;
    if (hand === undefined) {
      slot.previous = slot.next = slot;
      this.#hand = slot;
    } else {
      slot.previous = hand.previous;
      slot.next = hand;
      hand.previous.next = slot;
      hand.previous = slot;
    }
    this.#slots.set(entry, slot);
    this.#used += entry.weight;
    this.#shrink(entry);
  }

  /** Forgets an entry that its cache drops by itself; `evict` is not called. */
  remove(entry: CacheEntry): void {
    const slot = this.#slots.get(entry);
    if (slot !== undefined) this.#unlink(slot);
  }

  /** Evicts everything. */
  clear(): void {
    for (const [entry, slot] of this.#slots) {
      this.#unlink(slot);
      entry.evict();
    }
  }

  /** Spares what was just added: where all others were touched, it would be the first to go. */
  #shrink(added: CacheEntry): void {
    while (this.#used > this.limit && this.#hand !== undefined) {
      const slot = this.#hand;
      this.#hand = slot.next;
      if (slot.entry === added) continue;
      if (slot.entry.touched) {
        slot.entry.touched = false;
        continue;
      }
      this.#unlink(slot);
      slot.entry.evict();
    }
  }

  #unlink(slot: Slot): void {
    this.#slots.delete(slot.entry);
    this.#used -= slot.entry.weight;
    if (slot.next === slot) {
      this.#hand = undefined;
      return;
    }
    slot.previous.next = slot.next;
    slot.next.previous = slot.previous;
    if (this.#hand === slot) this.#hand = slot.next;
  }
}
