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

interface Run {
  readonly source: ByteSource;
  readonly position: number;
  size: number;
  bytes?: Buffer | Promise<Buffer>;
}

/** Collects ranges to be read, joins those that follow one another, and reads each run once. */
export class RawRuns {
  readonly #runs: Run[] = [];
  readonly #places: { readonly run: Run; readonly skip: number; readonly size: number }[] = [];

  /** Announces a range. The number given is what its bytes are asked for with, later. */
  want(range: RawRange): number {
    let run = this.#runs.at(-1);
    if (run === undefined || !joins(run, range)) {
      run = { source: range.source, position: range.position, size: 0 };
      this.#runs.push(run);
    }
    const skip = range.position - run.position;
    run.size = Math.max(run.size, skip + range.size);
    return this.#places.push({ run, skip, size: range.size }) - 1;
  }

  /** Reads run by run as they are asked for; the function gives the bytes of one announced range. */
  read(
    readRange: (range: RawRange) => Buffer | Promise<Buffer>,
  ): (ticket: number) => Buffer | Promise<Buffer> {
    return (ticket) => {
      const place = this.#places[ticket];
      if (place === undefined) throw new RangeError(`no range ${ticket} was announced`);
      const { run, skip, size } = place;
      const bytes = (run.bytes ??= readRange(run));
      return bytes instanceof Promise
        ? bytes.then((read) => read.subarray(skip, skip + size))
        : bytes.subarray(skip, skip + size);
    };
  }
}

function joins(run: Run, { source, position, size }: RawRange): boolean {
  if (run.source !== source || position < run.position || position > run.position + run.size) return false;
  return position + size - run.position <= RUN_MAX;
}
