import { closeSync } from 'node:fs';

/**
 * A file descriptor with one owner. Disposing it closes it once; `number` throws afterwards, so that a closed
 * number that the kernel has given to somebody else is never used by mistake.
 */
export class Descriptor implements Disposable {
  #number: number | undefined;

  constructor(
    number: number,
    /** For messages: what this descriptor is. */
    readonly label: string,
  ) {
    this.#number = number;
  }

  get number(): number {
    if (this.#number === undefined) throw new Error(`${this.label}: used after it was closed`);
    return this.#number;
  }

  get closed(): boolean {
    return this.#number === undefined;
  }

  /** Gives it away: the caller closes it from now on. */
  release(): number {
    const { number } = this;
    this.#number = undefined;
    return number;
  }

  [Symbol.dispose](): void {
    if (this.#number === undefined) return;
    const number = this.#number;
    this.#number = undefined;
    closeSync(number);
  }
}
