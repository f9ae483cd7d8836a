import { writeSync } from 'node:fs';
import { Descriptor } from './descriptor';
import { check, native } from './libc';

const POLLIN = 0x001;
const POLLERR = 0x008;
const POLLHUP = 0x010;
const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;
const POLLFD_BYTES = 8;

/**
 * Waits for a descriptor that libuv cannot watch (/dev/fuse is a character device) without blocking the event
 * loop: poll(2) runs on a thread of libuv's pool, one for each object that waits. An eventfd beside the descriptor
 * ends the wait, so no thread is ever left behind in the kernel.
 */
export class Readiness implements Disposable {
  readonly #watched: Descriptor;
  readonly #wake: Descriptor;
  #waiting = false;
  #cancelled = false;

  /** `watched` stays owned by the caller, who closes it after this object. */
  constructor(watched: Descriptor) {
    this.#watched = watched;
    this.#wake = new Descriptor(check(native.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), 'eventfd', ''), 'wake eventfd');
  }

  /** Resolves `ready` once the descriptor has something to read or has failed, `cancelled` after cancel(). */
  wait(): Promise<'ready' | 'cancelled'> {
    if (this.#waiting) throw new Error('Readiness: one waiter at a time');
    if (this.#cancelled) return Promise.resolve('cancelled');
    this.#waiting = true;
    const fds = Buffer.alloc(2 * POLLFD_BYTES);
    fds.writeInt32LE(this.#watched.number, 0);
    fds.writeInt16LE(POLLIN, 4);
    fds.writeInt32LE(this.#wake.number, POLLFD_BYTES);
    fds.writeInt16LE(POLLIN, POLLFD_BYTES + 4);
    return new Promise((resolve, reject) => {
      native.poll.async(fds, 2, -1, (error, _count) => {
        this.#waiting = false;
        if (error !== null && error !== undefined) {
          reject(error instanceof Error ? error : new Error('poll failed', { cause: error }));
          return;
        }
        // A poll that failed (EINTR) reports nothing in revents: the caller finds nothing to read and waits again.
        const woken = fds.readInt16LE(POLLFD_BYTES + 6) & (POLLIN | POLLERR | POLLHUP);
        resolve(woken !== 0 ? 'cancelled' : 'ready');
      });
    });
  }

  /** Ends the wait in progress and every later one. */
  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    const one = Buffer.alloc(8);
    one.writeUInt8(1, 0);
    writeSync(this.#wake.number, one);
  }

  /** Call once no wait is in progress any more. */
  [Symbol.dispose](): void {
    if (this.#waiting) throw new Error('Readiness: disposed while waiting; cancel() first');
    this.#wake[Symbol.dispose]();
  }
}
