import { breathe as letOthersCome } from './slice';

/** A scan of an image's files, which may turn out not to be wanted any more. */
export interface Scan {
  /** Resolves when the image is detached: the scan is to end by itself then. */
  readonly unwanted: Promise<void>;
  /** Does the work, and calls `breathe` every few ms. Resolves to the number of files. */
  run(breathe: () => Promise<void>): Promise<number>;
}

/** What was scanned without a break. */
export interface ScansDone {
  readonly images: number;
  readonly files: number;
}

/**
 * Runs scans one after the other, and none while images are being attached: somebody waits for an attachment and nobody for a
 * scan. Many scans side by side would each take a slice of every turn of the event loop.
 */
export class ScanQueue {
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #images = 0;
  #files = 0;
  #attaching = 0;
  #quiet: { readonly comes: Promise<void>; readonly come: () => void } | undefined;

  /** @param onIdle told when no scan is left. */
  constructor(private readonly onIdle: (done: ScansDone) => void = () => undefined) {}

  /** Resolves when the scan has ended; rejects as it does. One that is not wanted any more does not wait for others. */
  run(scan: Scan): Promise<void> {
    const before = this.#last;
    this.#waiting += 1;
    const ended = this.#inTurn(scan, before).finally(() => this.#count());
    this.#last = Promise.allSettled([before, ended]).then(() => undefined);
    return ended;
  }

  async #inTurn(scan: Scan, before: Promise<void>): Promise<void> {
    await Promise.race([before, scan.unwanted]);
    const breathe = async (): Promise<void> => {
      await letOthersCome();
      while (this.#quiet !== undefined) {
        const outcome = await Promise.race([this.#quiet.comes, scan.unwanted.then(() => 'unwanted')]);
        if (outcome === 'unwanted') return;
      }
    };
    await breathe();
    this.#images += 1;
    this.#files += await scan.run(breathe);
  }

  #count(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    const done = { images: this.#images, files: this.#files };
    this.#images = 0;
    this.#files = 0;
    this.onIdle(done);
  }

  /** Does the work of attaching an image. */
  async whileAttaching<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#attaching += 1;
    this.#quiet ??= promise();
    try {
      return await work();
    } finally {
      this.#attaching -= 1;
      if (this.#attaching === 0) {
        this.#quiet.come();
        this.#quiet = undefined;
      }
    }
  }
}

function promise(): { readonly comes: Promise<void>; readonly come: () => void } {
  let come: () => void = () => undefined;
  const comes = new Promise<void>((resolve) => (come = resolve));
  return { comes, come };
}
