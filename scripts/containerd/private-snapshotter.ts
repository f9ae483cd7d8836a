import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { readMountTable } from '../../linux/mount-table';
import { BackgroundProcess } from '../process/background-process';
import { descendantsOf, killProcesses } from '../process/process-table';
import { endRecordedHolder } from '../process/recorded-holder';
import { detachMountsBelow } from '../process/temporary-directory';
import { abortFuseConnection } from './fuse-connections';

export interface PrivateSnapshotterOptions {
  /** A directory of the caller's for root, state, sockets, configuration and log; short, for the sockets' sake. */
  readonly directory: string;
  /** Text of the configuration file (TOML). */
  readonly configuration: string;
  /** The launcher; default bin/ishare-snapshotter of this checkout. */
  readonly program?: string;
  readonly logLevel?: string;
  /** Added to this process's own environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

const START_LIMIT = 30_000;
/** SIGTERM unmounts and closes the database; longer than this means that it hangs. */
const STOP_PATIENCE = 15_000;
const KILL_PATIENCE = 5_000;

/** The root of the checkout or package, from dist/scripts/containerd. */
export const CHECKOUT = join(__dirname, '..', '..', '..');

/**
 * One `ishare-snapshotter` daemon with everything of its own under one directory. Disposing of it leaves no process,
 * no mount and no FUSE connection, even when the daemon hangs or was killed.
 */
export class PrivateSnapshotter implements AsyncDisposable {
  readonly root: string;
  readonly state: string;
  /** Where containerd reaches it. */
  readonly socket: string;
  /** Where the `ishare` command reaches it. */
  readonly adminSocket: string;
  readonly #arguments: readonly string[];
  #process: BackgroundProcess;

  private constructor(private readonly options: PrivateSnapshotterOptions) {
    const { directory } = options;
    this.root = join(directory, 'root');
    this.state = join(directory, 'state');
    this.socket = join(directory, 's.sock');
    this.adminSocket = join(directory, 'a.sock');
    this.#arguments = [
      ['--config', join(directory, 'config.toml')],
      ['--root', this.root],
      ['--state', this.state],
      ['--address', this.socket],
      ['--admin-address', this.adminSocket],
      ['--log-level', options.logLevel ?? 'info'],
    ].flat();
    this.#process = this.#spawn();
  }

  /**
   * Starts the daemon and waits for the snapshots socket, which exists only once the server answers on it.
   *
   * @throws BackgroundProcessError with the end of its log when it does not come up.
   */
  static async start(options: PrivateSnapshotterOptions): Promise<PrivateSnapshotter> {
    await mkdir(options.directory, { recursive: true, mode: 0o700 });
    await writeFile(join(options.directory, 'config.toml'), options.configuration);
    const snapshotter = new PrivateSnapshotter(options);
    try {
      await snapshotter.#waitForSocket();
      return snapshotter;
    } catch (error) {
      await snapshotter[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    return this.#process.pid;
  }

  get running(): boolean {
    return this.#process.running;
  }

  get logFile(): string {
    return this.#process.logFile;
  }

  /** Exit code of the daemon, or undefined while it runs and when a signal ended it. */
  get exitCode(): number | undefined {
    return this.#process.exitCode;
  }

  /** Writes the configuration file anew. The daemon reads it when it is told to, and when it starts. */
  async configure(configuration: string): Promise<void> {
    await writeFile(join(this.options.directory, 'config.toml'), configuration);
  }

  /** SIGTERM; returns true when the daemon ended by itself in time. */
  async stop(): Promise<boolean> {
    return this.#process.stop(STOP_PATIENCE);
  }

  /** SIGKILL, as a crash or the kernel's out-of-memory killer would. */
  async crash(): Promise<void> {
    this.#process.signal('SIGKILL');
    if (!(await this.#process.waitForDeath(KILL_PATIENCE)))
      throw new Error('the snapshotter outlives SIGKILL');
  }

  /** Starts the daemon again on the same root, state and sockets; it must not be running. */
  async restart(): Promise<void> {
    if (!(await this.#process.waitForDeath(0))) throw new Error('the snapshotter is still running');
    this.#process = this.#spawn();
    await this.#waitForSocket();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Whatever the daemon started (the holder of its connections) is looked for while the parent is still known.
    const children = this.running ? await descendantsOf(this.pid) : [];
    const stopped = await this.stop();
    const left = await killProcesses(children, KILL_PATIENCE);
    await endRecordedHolder(this.state);
    // A mount whose server is gone hangs whoever touches it, so its connection is aborted before it is detached.
    for (const entry of await readMountTable()) {
      const ours =
        entry.target === this.options.directory || entry.target.startsWith(`${this.options.directory}/`);
      if (ours && (entry.type === 'fuse' || entry.type.startsWith('fuse.')))
        await abortFuseConnection(entry.device);
    }
    await detachMountsBelow(this.options.directory);
    if (left.length > 0) throw new Error(`children of the snapshotter outlive SIGKILL: ${left.join(' ')}`);
    if (!stopped)
      throw new Error(`ishare-snapshotter did not end within ${STOP_PATIENCE / 1000} s of SIGTERM`);
  }

  #spawn(): BackgroundProcess {
    return BackgroundProcess.start({
      program: this.options.program ?? join(CHECKOUT, 'bin', 'ishare-snapshotter'),
      arguments: this.#arguments,
      logFile: join(this.options.directory, 'snapshotter.log'),
      environment: this.options.environment ?? {},
    });
  }

  async #waitForSocket(): Promise<void> {
    // Connecting, and not only looking: a daemon that was killed leaves its socket behind.
    const answers = (): Promise<boolean> =>
      new Promise((resolve) => {
        const probe = connect(this.socket);
        probe.once('connect', () => {
          probe.destroy();
          resolve(true);
        });
        probe.once('error', () => resolve(false));
      });
    await this.#process.waitUntil(
      answers,
      `nobody answers on ${this.socket}`,
      START_LIMIT,
      this.options.signal,
    );
  }
}
