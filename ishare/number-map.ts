import { randomInt } from 'node:crypto';

/** No key. */
const EMPTY = -1;
const LEAST_CAPACITY = 4;
/** Of all places; each growth makes them half as many again. */
const FULLEST = 0.8;
const WORD = 2 ** 32;
/** Keys may come from an image: nobody is to choose such as fall on one place. */
const SEED = randomInt(WORD);

/**
 * A map from whole numbers (0 to 2^53 - 1) to numbers in one typed array, of 20 to 30 bytes an entry: a Map takes two to
 * three times as much, and another 16 for each number above 2^31. For what there may be a million of.
 */
export class NumberMap {
  /** Key and value by turns. A key is at its own place, or at the next free one behind. */
  #places = new Float64Array(0);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: number): number | undefined {
    if (this.#size === 0) return undefined;
    const place = this.#find(key);
    return this.#keyAt(place) === key ? this.#places[2 * place + 1] : undefined;
  }

  has(key: number): boolean {
    return this.get(key) !== undefined;
  }

  set(key: number, value: number): void {
    if (this.#size + 1 > this.#capacity * FULLEST) this.#resize(Math.ceil(this.#capacity * 1.5));
    const place = this.#find(key);
    if (this.#keyAt(place) === EMPTY) this.#size += 1;
    this.#put(place, key, value);
  }

  delete(key: number): boolean {
    if (this.#size === 0) return false;
    let hole = this.#find(key);
    if (this.#keyAt(hole) !== key) return false;
    this.#size -= 1;
    // Those behind move up, or nobody would look for them beyond the hole.
    for (let place = this.#after(hole); this.#keyAt(place) !== EMPTY; place = this.#after(place)) {
      const moved = this.#keyAt(place);
      if (this.#distance(this.#home(moved), place) < this.#distance(hole, place)) continue;
      this.#put(hole, moved, this.#places[2 * place + 1] ?? 0);
      hole = place;
    }
    this.#places[2 * hole] = EMPTY;
    if (this.#size < this.#capacity / 4) this.fit();
    return true;
  }

  /** Nothing may be set or deleted meanwhile. In no order. */
  *[Symbol.iterator](): Generator<readonly [number, number]> {
    for (let at = 0; at < this.#places.length; at += 2) {
      const key = this.#places[at] ?? EMPTY;
      if (key !== EMPTY) yield [key, this.#places[at + 1] ?? 0];
    }
  }

  /** Gives back what would be for more entries: few or none will come. */
  fit(): void {
    this.#resize(Math.ceil(this.#size / FULLEST));
  }

  get #capacity(): number {
    return this.#places.length / 2;
  }

  /** All keys are put anew in one go, and somebody waits: hence no calls of other methods. */
  #resize(wanted: number): void {
    const before = this.#places;
    const capacity = Math.max(wanted, LEAST_CAPACITY);
    const places = new Float64Array(2 * capacity).fill(EMPTY);
    for (let at = 0; at < before.length; at += 2) {
      const key = before[at] ?? EMPTY;
      if (key === EMPTY) continue;
      let place = 2 * Math.floor((hash(key) / WORD) * capacity);
      while (places[place] !== EMPTY) place = place + 2 === places.length ? 0 : place + 2;
      places[place] = key;
      places[place + 1] = before[at + 1] ?? 0;
    }
    this.#places = places;
  }

  /** Where a key is, or is to be put. */
  #find(key: number): number {
    let place = this.#home(key);
    for (;;) {
      const found = this.#keyAt(place);
      if (found === key || found === EMPTY) return place;
      place = this.#after(place);
    }
  }

  #home(key: number): number {
    return Math.floor((hash(key) / WORD) * this.#capacity);
  }

  #after(place: number): number {
    return place + 1 === this.#capacity ? 0 : place + 1;
  }

  /** From one place on to another, round the end. */
  #distance(from: number, to: number): number {
    return to >= from ? to - from : to - from + this.#capacity;
  }

  #keyAt(place: number): number {
    return this.#places[2 * place] ?? EMPTY;
  }

  #put(place: number, key: number, value: number): void {
    this.#places[2 * place] = key;
    this.#places[2 * place + 1] = value;
  }
}

/** 32 bits: what MurmurHash3 ends with, over both halves of the key. */
function hash(key: number): number {
  return mixed((key >>> 0) ^ mixed(Math.floor(key / WORD) ^ SEED)) >>> 0;
}

function mixed(word: number): number {
  let bits = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
