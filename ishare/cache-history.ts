/**
 * When the pages of a dedup inode came into the cache, to tell who has opened it since. The kernel says how many pages
 * there are, but not that all of them went and came again. READs tell: where the range that was read first is asked for
 * again, its pages have gone, and perhaps all others with them.
 *
 * As long as the cache holds more than was read since, some pages are older, so not all had gone. What cannot be
 * excluded is taken for true: savings come out too small rather than too large. Not seen is a loss of all pages after
 * which the file is first read elsewhere, and of several losses between two questions all but the first.
 */
export class CacheHistory {
  #generation = 0;
  #countedFrom = 0;
  #firstOffset: number | undefined;
  /** The first time since the last question at which all pages may have come anew, and bytes read since. */
  #doubt: { readonly generation: number; bytes: number } | undefined;

  /** Grows each time that all pages may have come anew. Whoever opens the file does so in the present one. */
  get generation(): number {
    return this.#generation;
  }

  /** A READ brings pages in. Returns whether a new generation begins with it. Bytes, whole pages. */
  pagesRead(offset: number, length: number): boolean {
    const again = offset === this.#firstOffset;
    this.#firstOffset ??= offset;
    if (again) {
      this.#generation += 1;
      this.#doubt ??= { generation: this.#generation, bytes: 0 };
    }
    if (this.#doubt !== undefined) this.#doubt.bytes += length;
    return again;
  }

  /**
   * The generation whose openers, with those of later ones, have opened the file since its pages came in.
   *
   * @param cachedBytes what the kernel holds now.
   */
  countedFrom(cachedBytes: number): number {
    if (cachedBytes === 0) {
      this.#firstOffset = undefined;
      this.#generation += 1;
      this.#countedFrom = this.#generation;
    } else if (this.#doubt !== undefined && cachedBytes <= this.#doubt.bytes) {
      this.#countedFrom = this.#doubt.generation;
    }
    this.#doubt = undefined;
    return this.#countedFrom;
  }
}
