/** A file of the ishare mount. */
export interface DedupFile {
  /** Path in the ishare mount. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

/**
 * What is to be done with each file. All three answer with the pages that are cached afterwards; `drop` lets go of
 * clean pages that nobody has mapped, `warm` reads the files.
 */
export type PageCacheAction = 'count' | 'drop' | 'warm';

export interface PageCacheTask {
  readonly action: PageCacheAction;
  /** Descriptor number of the ishare mount. */
  readonly ishareMount: number;
  readonly files: readonly DedupFile[];
  /** One word of shared memory: other than 0 ends the work before the next file. */
  readonly stop: Int32Array;
}
