import type { ByteSource } from '../byte-source';

/** Bytes of a source that are wanted. */
export interface RawRange {
  readonly source: ByteSource;
  readonly position: number;
  /** Bytes. */
  readonly size: number;
}

/** Longest read that neighbours are joined to (bytes); a single range may be longer. */
const RUN_MAX = 1024 * 1024;

/** Ranges that follow one another, to be read at once. */
export class RawRun<Purpose> implements RawRange {
  readonly source: ByteSource;
  readonly position: number;
  /** What each range is wanted for, and where it begins in the run (bytes). */
  readonly purposes: Purpose[] = [];
  readonly skips: number[] = [];
  #size = 0;

  constructor(source: ByteSource, position: number) {
    this.source = source;
    this.position = position;
  }

  /** Bytes. */
  get size(): number {
    return this.#size;
  }

  add(position: number, size: number, purpose: Purpose): void {
    const skip = position - this.position;
    this.purposes.push(purpose);
    this.skips.push(skip);
    this.#size = Math.max(this.#size, skip + size);
  }

  /** Whether a range may be added so that nothing is read for nothing, and no more than `RUN_MAX`. */
  joins(source: ByteSource, position: number, size: number): boolean {
    const skip = position - this.position;
    if (this.source !== source || skip < 0 || skip > this.#size || skip + size > RUN_MAX) return false;
    const { grain } = source;
    return (
      grain === undefined || Math.floor((position + size - 1) / grain) === Math.floor(this.position / grain)
    );
  }
}

/** Collects ranges, in the order in which they are wanted, into runs. */
export class RawRuns<Purpose> {
  readonly runs: RawRun<Purpose>[] = [];
  #last: RawRun<Purpose> | undefined;

  want(source: ByteSource, position: number, size: number, purpose: Purpose): void {
    if (this.#last?.joins(source, position, size) !== true) {
      this.#last = new RawRun<Purpose>(source, position);
      this.runs.push(this.#last);
    }
    this.#last.add(position, size, purpose);
  }
}
