import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { waitingRequests } from '../connection-control';

/** Far more than a test takes that goes well (s). */
const PATIENCE_S = 20;

/**
 * Another process that aborts a connection when it is not called off in time. For tests of what would otherwise block this
 * thread inside of the kernel, where no time limit of Jest's and no signal reaches it.
 */
export class Watchdog implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #gone: Promise<unknown>;

  private constructor(minor: number) {
    // cat(1) ends when its input does; when the time is over instead, timeout(1) fails.
    const program = 'timeout "$1" cat > /dev/null || echo 1 > "$2"';
    const control = `/sys/fs/fuse/connections/${minor}/abort`;
    this.#process = spawn('sh', ['-c', program, 'sh', String(PATIENCE_S), control], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#gone = once(this.#process, 'exit');
  }

  /** `minor` is the minor device number of the mount. */
  static async over(minor: number): Promise<Watchdog> {
    // This mounts the control file system where it is missing.
    await waitingRequests(minor);
    return new Watchdog(minor);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.stdin?.end();
    await this.#gone;
  }
}
