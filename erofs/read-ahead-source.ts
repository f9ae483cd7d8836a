import { DIRECT_IO_ALIGNMENT } from '../linux/aligned-buffer';
import { SpareBuffers } from '../linux/spare-buffers';
import type { ByteSource } from './byte-source';
import type { CacheBudget } from './cache-budget';
import { Window } from './read-ahead-window';

/**
 * Bytes read at once where reads follow one another, as they do in a large file and on a walk over many small ones. On
 * the disk measured, 256 KiB take 300 µs where 4 KiB take 150.
 */
export const READ_AHEAD_WINDOW = 256 * 1024;

/** So near to the end of the read before is a read that follows it: inodes and tails lie between files (bytes). */
const NEAR = 512 * 1024;

/** Reads in a row after which more is read than was asked for. */
const STREAK = 2;

/**
 * Windows that are fetched before they are wanted, one more with each read in a row. The kernel asks for several MiB of a large
 * file at once: with one window ahead, all but the first of its READs wait for the disk.
 */
const AHEAD_MAX = 8;

/**
 * Windows of one source. A walk through a tree jumps back and forth by some megabytes, and several readers may follow
 * one another.
 */
const WINDOWS_KEPT = 32;
/** Windows whose memory waits to be used again. */
const SPARE_WINDOWS = 8;

const EMPTY = Buffer.alloc(0);

/**
 * Reads ahead where reads come in the order of the image, and passes all others through. The image is seen as a row of
 * windows of READ_AHEAD_WINDOW bytes, which are read as a whole. Where two neighbours were wanted, the next
 * ones are fetched while the reader is busy with what it has. What was read ahead counts in a budget that sources share.
 * Buffers that it returns may be views of a window, whose memory is then its own for good.
 */
export class ReadAheadSource implements ByteSource {
  readonly #windows = new Map<number, Window>();
  readonly #memory: SpareBuffers;
  /** Where the read before ended. */
  #next = 0;
  #streak = 0;
  #closed = false;

  /** `source` is owned from here on: disposing this disposes of it. */
  constructor(
    private readonly source: ByteSource,
    private readonly budget: CacheBudget,
  ) {
    // Most layers are smaller than a window.
    const whole = Math.ceil(source.size / DIRECT_IO_ALIGNMENT) * DIRECT_IO_ALIGNMENT;
    this.#memory = new SpareBuffers(Math.min(READ_AHEAD_WINDOW, whole), SPARE_WINDOWS);
  }

  get label(): string {
    return this.source.label;
  }

  get grain(): number {
    return READ_AHEAD_WINDOW;
  }

  get size(): number {
    return this.source.size;
  }

  peek(position: number, length: number): Buffer | undefined {
    const window = this.#holdLoaded(position, length);
    if (window === undefined) return undefined;
    window.share();
    window.release();
    return cut(window, position, length);
  }

  async read(position: number, length: number): Promise<Buffer> {
    return await this.#whenRead(position, length, (bytes, windows) => {
      if (windows.length > 1) return Buffer.from(bytes);
      windows[0]?.share();
      return bytes;
    });
  }

  lend<Result>(
    position: number,
    length: number,
    use: (bytes: Buffer) => Result | Promise<Result>,
  ): Result | Promise<Result> {
    const window = this.#holdLoaded(position, length);
    if (window === undefined) return this.#whenRead(position, length, use);
    return finallyDo(
      () => use(cut(window, position, length)),
      () => window.release(),
    );
  }

  /** Lets go of what was read ahead. */
  rest(): void {
    for (const window of this.#windows.values()) this.#drop(window);
    this.#memory.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.rest();
    await this.source[Symbol.asyncDispose]();
  }

  /**
   * The window that a range lies in, if it is here. The caller releases it: fetching the next ones may evict it, and take its
   * memory.
   */
  #holdLoaded(position: number, length: number): Window | undefined {
    const number = Math.floor(position / READ_AHEAD_WINDOW);
    const window = this.#windows.get(number);
    const end = position + length - number * READ_AHEAD_WINDOW;
    if (window?.loaded === undefined || end > window.loaded.length) return undefined;
    this.#follow(position, length);
    window.touched = true;
    window.hold();
    this.#fetchAfter(number);
    return window;
  }

  /** Reads a range, and lends it to `use`, with the windows that it lies in: one, whose bytes it is a view of, or several. */
  async #whenRead<Result>(
    position: number,
    length: number,
    use: (bytes: Buffer, windows: readonly Window[]) => Result | Promise<Result>,
  ): Promise<Result> {
    this.#follow(position, length);
    const windows = this.#holdWindows(position, length) ?? [];
    try {
      // A failure may be behind what is wanted: the read itself will tell.
      const loaded = await Promise.all(windows.map(({ bytes }) => bytes)).catch(() => []);
      const [only] = windows;
      if (only === undefined || loaded.length === 0)
        return await use(await this.source.read(position, length), []);
      if (windows.length === 1) return await use(cut(only, position, length), windows);
      const piece = this.#memory.take();
      try {
        return await use(joined(loaded, position % READ_AHEAD_WINDOW, piece.subarray(0, length)), windows);
      } finally {
        this.#memory.giveBack(piece);
      }
    } finally {
      for (const window of windows) window.release();
    }
  }

  #follow(position: number, length: number): void {
    this.#streak = Math.abs(position - this.#next) <= NEAR ? this.#streak + 1 : 0;
    this.#next = position + length;
  }

  /** The windows that a range lies in, started where that pays; undefined where it does not. The caller releases them. */
  #holdWindows(position: number, length: number): Window[] | undefined {
    if (length > READ_AHEAD_WINDOW || position + length > this.size || this.#closed) return undefined;
    const sequential = this.#streak >= STREAK;
    const first = Math.floor(position / READ_AHEAD_WINDOW);
    const last = Math.floor((position + length - 1) / READ_AHEAD_WINDOW);
    const windows: Window[] = [];
    for (let number = first; number <= last; number++) {
      const window = this.#windows.get(number) ?? (sequential ? this.#open(number) : undefined);
      if (window === undefined) {
        for (const held of windows) held.release();
        return undefined;
      }
      window.touched = true;
      // Before another is opened, which may evict this one.
      window.hold();
      windows.push(window);
    }
    this.#fetchAfter(last);
    return windows;
  }

  /** Fetches the windows after one that is in use, and held, where the one before it was used as well. */
  #fetchAfter(number: number): void {
    if (this.#streak < STREAK || !this.#windows.has(number - 1)) return;
    const ahead = Math.min(AHEAD_MAX, this.#streak - STREAK + 1);
    for (let next = number + 1; next <= number + ahead; next++) {
      if (next * READ_AHEAD_WINDOW >= this.size) return;
      if (!this.#windows.has(next)) this.#open(next);
    }
  }

  #open(number: number): Window {
    const start = number * READ_AHEAD_WINDOW;
    const length = Math.min(READ_AHEAD_WINDOW, this.size - start);
    const window = new Window(number, length, this.#memory, this.#windows, (piece) =>
      this.source.read(start, length, piece),
    );
    window.bytes.catch(() => this.#drop(window));
    for (const oldest of this.#windows.values()) {
      if (this.#windows.size < WINDOWS_KEPT) break;
      this.#drop(oldest);
    }
    this.#windows.set(number, window);
    this.budget.add(window);
    return window;
  }

  #drop(window: Window): void {
    window.evict();
    this.budget.remove(window);
  }
}

/** A range of a window that is loaded. */
function cut({ number, loaded = EMPTY }: Window, position: number, length: number): Buffer {
  const start = position - number * READ_AHEAD_WINDOW;
  return loaded.subarray(start, start + length);
}

/** Fills `bytes` with a copy of what begins at byte `start` of the first of several windows. */
function joined(windows: readonly Buffer[], start: number, bytes: Buffer): Buffer {
  let skip = start;
  let at = 0;
  for (const window of windows) {
    at += window.copy(bytes, at, skip);
    skip = 0;
  }
  return bytes;
}

/** Calls `last` when `work` is done, however that ends. */
function finallyDo<Result>(work: () => Result | Promise<Result>, last: () => void): Result | Promise<Result> {
  let result: Result | Promise<Result>;
  try {
    result = work();
  } catch (error) {
    last();
    throw error;
  }
  if (result instanceof Promise) return result.finally(last);
  last();
  return result;
}
