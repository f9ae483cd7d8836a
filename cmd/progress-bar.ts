import { SingleBar, type Options, type Params } from 'cli-progress';
import { formatBytes } from './ishare/output';
import { visibleText } from './visible-text';

/** What is under way, shown to whoever waits for it. Disposing it takes it off the screen. */
export interface ProgressBar extends Disposable {
  /** `done` and `total` are in the bar's unit. A total that was not known at the start may come later, and may change. */
  update(done: number, total?: number): void;
  /** Takes the bar off the screen, for lines that are printed next; an update draws it again below them. */
  clear(): void;
}

/** How often the bar is drawn, at most. */
const FRAMES_PER_SECOND = 10;
const BAR_WIDTH = 30;

const DEADLY_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * A bar on standard error, where that is a terminal; elsewhere nothing at all. It erases itself at its end, which may be
 * a signal: Ctrl-C ends the process as it would without a bar, unless somebody else listens for it too.
 */
export function startProgressBar(title: string, unit: 'bytes' | 'entries', total?: number): ProgressBar {
  return process.stderr.isTTY ? new TerminalBar(title, unit, total) : silentBar;
}

const silentBar: ProgressBar = {
  update() {
    // Nobody watches.
  },
  clear() {
    // Nothing was drawn.
  },
  [Symbol.dispose]() {
    // Nothing was drawn.
  },
};

class TerminalBar implements ProgressBar {
  readonly #bar: SingleBar;
  #total: number;
  #running = true;
  #shown = true;

  constructor(title: string, unit: 'bytes' | 'entries', total = 0) {
    this.#total = total;
    const name = visibleText(title);
    this.#bar = new SingleBar({
      stream: process.stderr,
      format: (options, params) => line(name, unit, options, params),
      fps: FRAMES_PER_SECOND,
      barsize: BAR_WIDTH,
      clearOnComplete: true,
      // What is switched off would stay so on the terminal of a process that SIGKILL ends.
      linewrap: true,
      hideCursor: false,
    });
    for (const signal of DEADLY_SIGNALS) process.on(signal, this.#onSignal);
    this.#bar.start(total, 0);
  }

  update(done: number, total?: number): void {
    if (!this.#running) return;
    if (total !== undefined && total !== this.#total) {
      this.#total = total;
      this.#bar.setTotal(total);
    }
    if (this.#shown) this.#bar.update(done);
    else this.#bar.start(this.#total, done);
    this.#shown = true;
  }

  clear(): void {
    // The bar remembers its line by its place on the screen, which is another one once lines have been printed.
    if (this.#shown) this.#bar.stop();
    this.#shown = false;
  }

  [Symbol.dispose](): void {
    if (!this.#running) return;
    this.#running = false;
    for (const signal of DEADLY_SIGNALS) process.off(signal, this.#onSignal);
    this.clear();
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    const others = process.listenerCount(signal) > 1;
    this[Symbol.dispose]();
    // A listener takes the signal's own effect away. Sent again without one, it ends the process as the sender meant.
    if (!others) process.kill(process.pid, signal);
  };
}

/** `Checking  ████████░░░░  67%  1.2 GiB of 1.8 GiB`; without a total only what is done. */
function line(title: string, unit: 'bytes' | 'entries', options: Options, params: Params): string {
  const amount = (value: number): string => (unit === 'bytes' ? formatBytes(value) : `${value} entries`);
  const { value, total } = params;
  if (total <= 0) return fitted(`${title}  ${amount(value)}`);
  const share = Math.min(1, value / total);
  const width = options.barsize ?? BAR_WIDTH;
  const full = Math.round(share * width);
  const drawn = '█'.repeat(full) + '░'.repeat(width - full);
  const percent = String(Math.floor(share * 100)).padStart(3);
  return fitted(`${title}  ${drawn} ${percent}%  ${amount(value)} of ${amount(total)}`);
}

/** What fits into one line of the terminal: of a second one, only the last could be erased. */
function fitted(text: string): string {
  return text.slice(0, (process.stderr.columns || 80) - 1);
}
