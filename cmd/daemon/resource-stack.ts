/**
 * Resources that were acquired one after another and are let go in the opposite order: the AsyncDisposableStack of
 * newer JavaScript engines, as far as it is needed here.
 */
export class ResourceStack implements AsyncDisposable {
  #releases: (() => unknown)[] = [];

  use<Resource extends Disposable | AsyncDisposable>(resource: Resource): Resource {
    this.defer(() =>
      Symbol.asyncDispose in resource ? resource[Symbol.asyncDispose]() : resource[Symbol.dispose](),
    );
    return resource;
  }

  /** `release` may return a promise, which is waited for. */
  defer(release: () => unknown): void {
    this.#releases.push(release);
  }

  /** Hands everything over to a new stack; this one is empty then, and disposing of it does nothing. */
  move(): ResourceStack {
    const moved = new ResourceStack();
    moved.#releases = this.#releases;
    this.#releases = [];
    return moved;
  }

  /** Lets everything go, also when some of it fails; then throws that failure, or an AggregateError of several. */
  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (let release = this.#releases.pop(); release !== undefined; release = this.#releases.pop()) {
      try {
        await release();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 1) {
      const reasons = failures.map((failure) =>
        failure instanceof Error ? failure.message : String(failure),
      );
      throw new AggregateError(failures, reasons.join('; '));
    }
    if (failures.length === 1) throw failures[0];
  }
}
