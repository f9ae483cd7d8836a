/** Lets calls about the same key run one after the other, and calls about different keys side by side. */
export class KeyLocks {
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs `work` once every earlier call that shares a key with it has settled. Several keys are taken at once. */
  async run<Result>(keys: readonly string[], work: () => Promise<Result>): Promise<Result> {
    const earlier = keys.map((key) => this.#tails.get(key) ?? Promise.resolve());
    let release = (): void => undefined;
    const tail = new Promise<void>((resolve) => {
      release = resolve;
    });
    for (const key of keys) this.#tails.set(key, tail);
    try {
      await Promise.all(earlier);
      return await work();
    } finally {
      release();
      for (const key of keys) {
        if (this.#tails.get(key) === tail) this.#tails.delete(key);
      }
    }
  }
}
