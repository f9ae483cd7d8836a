import koffi from 'koffi';
import type { Descriptor } from './descriptor';

type PollHandle = ReturnType<typeof koffi.node.poll>;

/**
 * Waits for a descriptor that Node's own streams cannot watch (/dev/fuse is a character device) without blocking the
 * event loop and without a thread: libuv's epoll watches it like a socket, on the loop of the thread that waits. A
 * thread of libuv's pool must not do this: the pool may be full of calls that wait for an answer from the very file
 * system that is served here.
 */
export class Readiness implements Disposable {
  readonly #watched: Descriptor;
  #handle: PollHandle | undefined;
  #watching = false;
  #settle: ((outcome: 'ready' | 'cancelled') => void) | undefined;
  #cancelled = false;

  /** `watched` stays owned by the caller, who closes it after this object; no second object may watch it. */
  constructor(watched: Descriptor) {
    this.#watched = watched;
  }

  /** Resolves `ready` once the descriptor has something to read or has failed, `cancelled` after cancel(). */
  wait(): Promise<'ready' | 'cancelled'> {
    if (this.#settle !== undefined) throw new Error('Readiness: one waiter at a time');
    if (this.#cancelled) return Promise.resolve('cancelled');
    return new Promise((resolve) => {
      this.#watch();
      this.#settle = resolve;
    });
  }

  /** Ends the wait in progress and every later one. */
  cancel(): void {
    this.#cancelled = true;
    this.#handle?.stop();
    this.#finish('cancelled');
  }

  [Symbol.dispose](): void {
    if (this.#settle !== undefined) throw new Error('Readiness: disposed while waiting; cancel() first');
    this.#cancelled = true;
    this.#handle?.close();
    this.#handle = undefined;
  }

  /** Watching goes on between two waits: the descriptor is usually waited for again at once. */
  #watch(): void {
    if (this.#watching) return;
    // koffi declares the callback without its first argument, libuv's status.
    const onEvent = (...[status]: unknown[]): void => this.#onEvent(Number(status));
    if (this.#handle === undefined) this.#handle = koffi.node.poll(this.#watched.number, onEvent);
    else this.#handle.start(onEvent);
    this.#watching = true;
  }

  #onEvent(status: number): void {
    // On POLLERR libuv stops watching by itself.
    if (status < 0) this.#watching = false;
    if (this.#settle === undefined) return;
    // libuv calls this outside of Node's own callback scope, where no promise would be continued. An immediate runs
    // inside of one, later in the same turn of the loop.
    setImmediate(() => this.#finish('ready'));
  }

  #finish(outcome: 'ready' | 'cancelled'): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(outcome);
  }
}
