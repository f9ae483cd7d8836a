/** Signals by which a user or the system asks a program to end. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export type EndSignal = (typeof SIGNALS)[number];

/** Exit code by which shells know an end by a signal: 128 and its number (signal(7)). */
export const SIGNAL_EXIT_CODE: Readonly<Record<EndSignal, number>> = {
  SIGINT: 130,
  SIGTERM: 143,
  SIGHUP: 129,
};

/** Keeps signals until somebody asks for them; none ends the process while this lives. */
export class SignalQueue implements Disposable {
  readonly #waiting: EndSignal[] = [];
  #wake: ((signal: EndSignal) => void) | undefined;
  #next: Promise<EndSignal> | undefined;
  readonly #onSignal = (name: NodeJS.Signals): void => {
    const signal = name as EndSignal;
    if (this.#wake === undefined) this.#waiting.push(signal);
    else this.#wake(signal);
    this.#wake = undefined;
  };

  constructor() {
    for (const name of SIGNALS) process.on(name, this.#onSignal);
  }

  /** The next signal. Asked again before it has come, it is the same promise; `take` makes room for another. */
  get next(): Promise<EndSignal> {
    this.#next ??= new Promise((resolve) => {
      const first = this.#waiting.shift();
      if (first === undefined) this.#wake = resolve;
      else resolve(first);
    });
    return this.#next;
  }

  /** The signal that `next` gave has been dealt with. */
  take(): void {
    this.#next = undefined;
  }

  [Symbol.dispose](): void {
    for (const name of SIGNALS) process.off(name, this.#onSignal);
  }
}
