import { lstat, mkdir, readdir, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { abortFuseConnection } from '../../scripts/containerd/fuse-connections';
import { BackgroundProcess } from '../../scripts/process/background-process';
import { CommandError, runCommand } from '../../scripts/process/command';
import { endRecordedHolder } from '../../scripts/process/recorded-holder';
import { TemporaryDirectory } from '../../scripts/process/temporary-directory';
import { readMountTable, type MountEntry } from '../../linux/mount-table';

/** The checkout's root, from dist/test/daemon. */
export const CHECKOUT = join(__dirname, '..', '..', '..');
export const DAEMON = join(CHECKOUT, 'bin', 'ishare-snapshotter');
export const ADMIN = join(CHECKOUT, 'bin', 'ishare');

const START_LIMIT = 30_000;
/** A daemon that refuses does so at once; later than this it has started, which is what the test says it must not. */
const REFUSAL_LIMIT = 20_000;
const STOP_PATIENCE = 20_000;

export type FlagName = 'config' | 'root' | 'state' | 'address' | 'admin-address' | 'log-level';
export type Flags = Readonly<Partial<Record<FlagName, string>>>;

export interface LaunchOptions {
  /** Instead of this place's own paths. */
  readonly flags?: Flags;
  /** Instead of all flags. */
  readonly arguments?: readonly string[];
  readonly directory?: string;
  /** The launcher, where it is not this checkout's. */
  readonly program?: string;
  /** A command that runs the daemon, such as setpriv with its flags. */
  readonly prefix?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Refusal {
  readonly exitCode: number;
  readonly stderr: string;
}

/**
 * A directory with room for the root, state, sockets and configuration of daemons. Disposing of it ends the daemons
 * that were launched here and leaves no mount, even where they hang.
 */
export class DaemonPlace implements AsyncDisposable {
  readonly #launched: BackgroundProcess[] = [];

  private constructor(private readonly temporary: TemporaryDirectory) {}

  static async create(configuration = ''): Promise<DaemonPlace> {
    const place = new DaemonPlace(await TemporaryDirectory.create('ishare-d'));
    await writeFile(place.flags.config, configuration);
    return place;
  }

  get path(): string {
    return this.temporary.path;
  }

  in(...names: string[]): string {
    return join(this.path, ...names);
  }

  get flags() {
    return {
      config: this.in('config.toml'),
      root: this.in('root'),
      state: this.in('state'),
      address: this.in('run', 's.sock'),
      'admin-address': this.in('run', 'a.sock'),
      'log-level': 'debug',
    } as const satisfies Flags;
  }

  /** Starts a daemon and does not wait for anything. */
  launch(options: LaunchOptions = {}): BackgroundProcess {
    const [program = DAEMON, ...args] = this.#commandLine(options);
    const launched = BackgroundProcess.start({
      program,
      arguments: args,
      logFile: this.in(`daemon-${this.#launched.length}.log`),
      environment: options.environment ?? {},
      ...(options.directory === undefined ? {} : { directory: options.directory }),
    });
    this.#launched.push(launched);
    return launched;
  }

  /** Starts a daemon and waits until its snapshots socket answers. */
  async start(options: LaunchOptions = {}): Promise<BackgroundProcess> {
    const daemon = this.launch(options);
    await this.waitForSocket(daemon, options.flags?.address);
    return daemon;
  }

  async waitForSocket(daemon: BackgroundProcess, address: string = this.flags.address): Promise<void> {
    await daemon.waitUntil(() => accepts(address), `nobody answers on ${address}`, START_LIMIT);
  }

  /** Runs a daemon that must not start, to its end. */
  async refusal(options: LaunchOptions = {}): Promise<Refusal> {
    const [program = DAEMON, ...args] = this.#commandLine(options);
    try {
      await runCommand(program, args, {
        timeLimit: REFUSAL_LIMIT,
        environment: options.environment ?? {},
      });
    } catch (error) {
      if (!(error instanceof CommandError) || error.outcome.failure !== 'exit-code') throw error;
      return { exitCode: error.outcome.exitCode ?? -1, stderr: error.stderr };
    }
    throw new Error('the daemon ended with exit code 0 where it had to refuse');
  }

  /** Mounts that lie here, of whatever kind. */
  async mounts(): Promise<MountEntry[]> {
    return (await readMountTable()).filter(({ target }) => target.startsWith(`${this.path}/`));
  }

  /** Everything below a directory that is a socket or the temporary directory of one. */
  async sockets(directory = this.in('run')): Promise<string[]> {
    const names = await readdir(directory).catch(() => []);
    return names.filter((name) => name.endsWith('.sock') || name.startsWith('.')).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#launched) await daemon.stop(STOP_PATIENCE);
    await endRecordedHolder(this.flags.state);
    // A mount whose server is gone hangs whoever touches it, so its connection is aborted before it is detached.
    for (const { type, device } of await this.mounts()) {
      if (type.startsWith('fuse')) await abortFuseConnection(device);
    }
    await this.temporary[Symbol.asyncDispose]();
  }

  #commandLine(options: LaunchOptions): string[] {
    const flags = Object.entries({ ...this.flags, ...options.flags });
    const args = options.arguments ?? flags.flatMap(([name, value]) => [`--${name}`, value]);
    return [...(options.prefix ?? []), options.program ?? DAEMON, ...args];
  }
}

export async function isSocket(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isSocket(),
    () => false,
  );
}

/** Whether somebody takes connections on a socket. */
export async function accepts(socket: string): Promise<boolean> {
  const connection = connect(socket);
  try {
    await once(connection, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    connection.destroy();
  }
}

/** Permission bits of a file, in octal digits. */
export async function modeOf(path: string): Promise<string> {
  return ((await lstat(path)).mode & 0o7777).toString(8);
}

/** A directory with its parents, where they are missing. */
export async function makeDirectory(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  return path;
}
