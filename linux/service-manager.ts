import { writeSync } from 'node:fs';
import { Descriptor } from './descriptor';
import { check, native } from './libc';
import { AF_UNIX, unixAddress } from './unix-address';

const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

/** Of sd_notify(3). */
export type ServiceState = 'READY=1' | 'STOPPING=1' | 'WATCHDOG=1';

/** systemd, where it has started this process and wants to be told how it does (sd_notify(3)). Owns a socket. */
export class ServiceManager implements Disposable {
  readonly #socket: Descriptor;

  private constructor(
    address: string,
    /** It wants to hear WATCHDOG=1 at least as often (ms), and else takes this process for hung; undefined: never. */
    readonly watchdogMs: number | undefined,
  ) {
    const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    this.#socket = new Descriptor(check(native.socket(AF_UNIX, type, 0), 'socket', address), address);
    try {
      const name = unixAddress(address);
      check(native.connect(this.#socket.number, name, name.length), 'connect', address);
    } catch (error) {
      this.#socket[Symbol.dispose]();
      throw error;
    }
  }

  /** Undefined where nobody wants to know. Throws SystemCallError where nobody listens. */
  static of({
    NOTIFY_SOCKET: address,
    WATCHDOG_USEC: watchdog,
    WATCHDOG_PID: watched,
  }: Readonly<NodeJS.ProcessEnv>): ServiceManager | undefined {
    if (address === undefined || address === '') return undefined;
    // The variables are inherited by processes that they are not about.
    const meant = watched === undefined || Number(watched) === process.pid;
    return new ServiceManager(address, meant && Number(watchdog) > 0 ? Number(watchdog) / 1000 : undefined);
  }

  /** Never waits: throws EAGAIN where systemd does not keep up. */
  tell(state: ServiceState): void {
    writeSync(this.#socket.number, state);
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}
