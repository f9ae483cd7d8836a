const WORD = Float64Array.BYTES_PER_ELEMENT;
const RECORDS = 1024;
/** End of the list of free records of a page. */
const NONE = -1;

interface Page {
  readonly words: Float64Array;
  used: number;
  /** Its first free record; the first word of that names the next. */
  free: number;
}

/**
 * Records of a fixed number of words, each of which is a number, in pages outside of the heap of JavaScript: for what there may
 * be a million of. A page goes as soon as no record in it is in use.
 */
export class RecordPages {
  /** A page that has gone leaves its number to the next. */
  readonly #pages: (Page | undefined)[] = [];
  readonly #spare: number[] = [];
  /** Numbers of pages with free records. */
  readonly #open = new Set<number>();

  /** @param words length of a record. */
  constructor(private readonly words: number) {}

  /** Bytes of all pages. */
  get bytes(): number {
    return (this.#pages.length - this.#spare.length) * RECORDS * this.words * WORD;
  }

  /** The number of a record that nobody uses. What is in it is anything. */
  take(): number {
    const [number = this.#newPage()] = this.#open;
    const page = this.#page(number);
    const index = page.free;
    page.free = page.words[index * this.words] ?? NONE;
    page.used += 1;
    if (page.free === NONE) this.#open.delete(number);
    return number * RECORDS + index;
  }

  giveBack(record: number): void {
    const number = Math.floor(record / RECORDS);
    const page = this.#page(number);
    page.used -= 1;
    if (page.used === 0) {
      this.#pages[number] = undefined;
      this.#spare.push(number);
      this.#open.delete(number);
      return;
    }
    const index = record % RECORDS;
    page.words[index * this.words] = page.free;
    page.free = index;
    this.#open.add(number);
  }

  get(record: number, word: number): number {
    const page = this.#page(Math.floor(record / RECORDS));
    return page.words[(record % RECORDS) * this.words + word] ?? 0;
  }

  set(record: number, word: number, value: number): void {
    const page = this.#page(Math.floor(record / RECORDS));
    page.words[(record % RECORDS) * this.words + word] = value;
  }

  /** The memory of some words, for bytes. */
  view(record: number, word: number, words: number): Buffer {
    const { buffer } = this.#page(Math.floor(record / RECORDS)).words;
    return Buffer.from(buffer, ((record % RECORDS) * this.words + word) * WORD, words * WORD);
  }

  #page(number: number): Page {
    const page = this.#pages[number];
    if (page === undefined) throw new RangeError(`no record is in use in page ${number}`);
    return page;
  }

  #newPage(): number {
    const words = new Float64Array(RECORDS * this.words);
    for (let index = 0; index < RECORDS; index++)
      words[index * this.words] = index + 1 < RECORDS ? index + 1 : NONE;
    const number = this.#spare.pop() ?? this.#pages.length;
    this.#pages[number] = { words, used: 0, free: 0 };
    this.#open.add(number);
    return number;
  }
}
