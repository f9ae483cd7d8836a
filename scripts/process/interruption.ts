/** The user or the system asked this program to stop. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';

  constructor(readonly by: NodeJS.Signals) {
    super(`interrupted by ${by}`);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Turns SIGINT, SIGTERM and SIGHUP, and errors that nobody caught, into an AbortSignal, so that the program leaves
 * through its clean-up. Further signals change nothing but call `onAgain`: clean-up must not be cut short by
 * impatience, which would leave mounts behind.
 */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #onSignal = (name: NodeJS.Signals): void => {
    if (this.#controller.signal.aborted) this.onAgain();
    else this.#controller.abort(new InterruptedError(name));
  };
  readonly #onError = (error: unknown): void => {
    this.#controller.abort(error);
  };

  constructor(private readonly onAgain: () => void) {
    for (const name of SIGNALS) process.on(name, this.#onSignal);
    process.on('uncaughtException', this.#onError);
    process.on('unhandledRejection', this.#onError);
    // Whoever read our output has gone (`| head`): there is nobody to work for.
    process.stdout.on('error', this.#onError);
    process.stderr.on('error', this.#onError);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const name of SIGNALS) process.off(name, this.#onSignal);
    process.off('uncaughtException', this.#onError);
    process.off('unhandledRejection', this.#onError);
    process.stdout.off('error', this.#onError);
    process.stderr.off('error', this.#onError);
  }
}
