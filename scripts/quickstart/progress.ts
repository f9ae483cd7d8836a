import { colors } from '../../cmd/colors';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_INTERVAL = 100;
/** Carriage return, then erase the line (ECMA-48, EL 2). */
const CLEAR_LINE = '\r\u001b[2K';

/** Where progress is written: process.stderr or something like it. */
export interface ProgressStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/**
 * One line a step. On a terminal the line turns while the step runs and ends with a tick and its seconds; elsewhere a
 * line is written when a step begins, so that a log shows what is going on.
 */
export class Progress implements Disposable {
  #step: { readonly text: string; readonly started: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;

  constructor(private readonly stream: ProgressStream) {}

  /** Ends the step before, if any, as done, and begins another. */
  step(text: string): void {
    this.#finish(colors.green('✔'));
    this.#step = { text, started: Date.now() };
    if (this.stream.isTTY === true) {
      this.#draw();
      this.#timer = setInterval(() => {
        this.#draw();
      }, FRAME_INTERVAL).unref();
    } else {
      this.stream.write(`- ${text}\n`);
    }
  }

  /** A line of its own, between steps or within one. */
  note(text: string): void {
    if (this.stream.isTTY === true) this.stream.write(CLEAR_LINE);
    this.stream.write(`${colors.yellow('!')} ${text}\n`);
    if (this.#timer !== undefined) this.#draw();
  }

  /** Ends the last step as done. */
  done(): void {
    this.#finish(colors.green('✔'));
  }

  /** Ends the step that went wrong. */
  failed(): void {
    this.#finish(colors.red('✘'));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #draw(): void {
    if (this.#step === undefined) return;
    this.#frame = (this.#frame + 1) % FRAMES.length;
    const seconds = Math.floor((Date.now() - this.#step.started) / 1000);
    const elapsed = seconds > 0 ? ` ${seconds} s` : '';
    // A line that wraps could not be erased.
    const room = Math.max(20, (this.stream.columns ?? 80) - elapsed.length - 4);
    const text = this.#step.text.length > room ? `${this.#step.text.slice(0, room - 1)}…` : this.#step.text;
    this.stream.write(`${CLEAR_LINE}${colors.cyan(FRAMES[this.#frame] ?? '')} ${text}${colors.dim(elapsed)}`);
  }

  #finish(mark: string): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#step === undefined) return;
    const seconds = (Date.now() - this.#step.started) / 1000;
    if (this.stream.isTTY === true) {
      this.stream.write(`${CLEAR_LINE}${mark} ${this.#step.text} ${colors.dim(`${seconds.toFixed(1)} s`)}\n`);
    }
    this.#step = undefined;
  }
}
