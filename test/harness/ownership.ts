/** Things to be disposed of together, last first. */
export class Ownership implements AsyncDisposable {
  #owned: (Disposable | AsyncDisposable)[] = [];

  own<Thing extends Disposable | AsyncDisposable>(thing: Thing): Thing {
    this.#owned.push(thing);
    return thing;
  }

  /** Disposes of everything once; later calls find nothing left. */
  async [Symbol.asyncDispose](): Promise<void> {
    const owned = this.#owned.reverse();
    this.#owned = [];
    for (const thing of owned) {
      if (Symbol.asyncDispose in thing) await thing[Symbol.asyncDispose]();
      else thing[Symbol.dispose]();
    }
  }
}
