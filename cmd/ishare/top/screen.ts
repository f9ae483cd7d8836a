import { SIGNAL_EXIT_CODE, SignalQueue } from '../image/signal-queue';

/** Control sequences of ECMA-48 and xterm ("XTerm Control Sequences", private modes 7, 25 and 1049). */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const ERASE_LINE = '\u001b[K';
const ERASE_BELOW = '\u001b[J';

const CTRL_C = '\u0003';
const DEFAULT_ROWS = 24;

/** A key was pressed, or the size of the terminal has changed. */
export type ScreenEvent = { readonly kind: 'key'; readonly key: string } | { readonly kind: 'resized' };

/**
 * The whole terminal, with the picture that was there before kept for the end. Lines longer than it is wide are cut by it.
 * Disposing restores it, whatever the way out. Keys come where standard input is a terminal too.
 */
export class Screen implements Disposable {
  readonly #signals = new SignalQueue();
  readonly #events: ScreenEvent[] = [];
  #wake: (() => void) | undefined;
  #end: (exitCode: number) => void = () => undefined;
  #disposed = false;
  /** Resolves to the exit code once the user or a signal asks for the end. */
  readonly ended: Promise<number>;

  constructor() {
    this.ended = new Promise((resolve) => (this.#end = resolve));
    void this.#signals.next.then((signal) => this.#end(SIGNAL_EXIT_CODE[signal]));
    if (process.stdin.isTTY) {
      process.stdin.setRawMode(true);
      process.stdin.on('data', this.#onKeys);
      process.stdin.resume();
    }
    process.stdout.on('resize', this.#onResize);
    process.stdout.write(ENTER);
  }

  /** Lines that there is room for. */
  get rows(): number {
    // A terminal that was never told its size says 0.
    return process.stdout.rows || DEFAULT_ROWS;
  }

  draw(text: string): void {
    const lines = text.split('\n').slice(0, this.rows);
    process.stdout.write(`${HOME}${lines.map((line) => line + ERASE_LINE).join('\r\n')}${ERASE_BELOW}`);
  }

  /** The next event, or undefined after this time (ms). */
  async next(milliseconds: number): Promise<ScreenEvent | undefined> {
    if (this.#events.length === 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    return this.#events.shift();
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    process.stdout.write(LEAVE);
    process.stdout.off('resize', this.#onResize);
    if (process.stdin.isTTY) {
      process.stdin.off('data', this.#onKeys);
      process.stdin.setRawMode(false);
      process.stdin.pause();
    }
    this.#wake?.();
    this.#signals[Symbol.dispose]();
  }

  /** In raw mode Ctrl-C is a key like others. */
  readonly #onKeys = (keys: Buffer): void => {
    for (const key of keys.toString()) {
      if (key === 'q') this.#end(0);
      else if (key === CTRL_C) this.#end(SIGNAL_EXIT_CODE.SIGINT);
      else this.#tell({ kind: 'key', key });
    }
  };

  readonly #onResize = (): void => this.#tell({ kind: 'resized' });

  #tell(event: ScreenEvent): void {
    this.#events.push(event);
    this.#wake?.();
  }
}
