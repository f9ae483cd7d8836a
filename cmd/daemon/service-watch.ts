import type { Logger } from 'winston';
import { ServiceManager, type ServiceState } from '../../linux/service-manager';

/** Signs of life for each that systemd wants. */
const SIGNS = 3;

export interface ServiceWatchOptions {
  readonly environment: Readonly<NodeJS.ProcessEnv>;
  /** Resolves when the thread that serves the mounts has answered. */
  readonly alive: () => Promise<unknown>;
  readonly logger: Logger;
}

/**
 * Tells systemd that the daemon is ready, and from then on that it lives: that its main thread and the one that serves the
 * mounts do. One that hangs is killed then, and the next daemon takes the mounts over, where containers would wait for ever.
 */
export class ServiceWatch implements Disposable {
  readonly #options: ServiceWatchOptions;
  readonly #manager: ServiceManager | undefined;
  #timer: NodeJS.Timeout | undefined;
  #asking = false;

  constructor(options: ServiceWatchOptions) {
    this.#options = options;
    this.#manager = managerOf(options);
  }

  ready(): void {
    this.#tell('READY=1');
    const { watchdogMs } = this.#manager ?? {};
    if (watchdogMs === undefined) return;
    this.#timer = setInterval(() => this.#ask(), watchdogMs / SIGNS).unref();
  }

  stopping(): void {
    this.#tell('STOPPING=1');
  }

  #ask(): void {
    if (this.#asking) return;
    this.#asking = true;
    this.#options
      .alive()
      .then(() => this.#tell('WATCHDOG=1'))
      // Whoever owns the thread is told of its end.
      .catch(() => undefined)
      .finally(() => (this.#asking = false));
  }

  #tell(state: ServiceState): void {
    try {
      this.#manager?.tell(state);
    } catch (error) {
      this.#options.logger.warn('systemd cannot be told how the daemon does', { state, error });
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#manager?.[Symbol.dispose]();
  }
}

function managerOf({ environment, logger }: ServiceWatchOptions): ServiceManager | undefined {
  try {
    return ServiceManager.of(environment);
  } catch (error) {
    logger.warn('NOTIFY_SOCKET is set, and nobody listens there', { error });
    return undefined;
  }
}
