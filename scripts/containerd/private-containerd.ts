import { access, mkdir, writeFile } from 'node:fs/promises';
import { basename, isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackgroundProcess } from '../process/background-process';
import { CommandError, runCommand, type CommandOptions } from '../process/command';
import { killProcesses } from '../process/process-table';
import { detachMountsBelow } from '../process/temporary-directory';
import { containerdConfig, type ProxySnapshotter } from './containerd-config';
import { CtrError } from './ctr-error';
import { processesOf, removeCgroups, removeShimSockets, shimsOf } from './shims';

export interface PrivateContainerdOptions {
  /** A directory of the caller's for root, state, socket and log. At most about 80 bytes long, for the socket's sake. */
  readonly directory: string;
  /** Where containerd, ctr and containerd-shim-runc-v2 lie; default ISHARE_TEST_CONTAINERD_BIN, else PATH. */
  readonly binaryDirectory?: string | undefined;
  readonly proxies?: readonly ProxySnapshotter[];
  /** Unpack for containerd's own erofs snapshotter too; see ContainerdLayout. */
  readonly unpackForErofs?: boolean;
  /** A directory with programs that containerd is to find before those of PATH. */
  readonly programs?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface CtrOptions extends Omit<CommandOptions, 'directory' | 'environment'> {
  /** containerd namespace; default `default`. Use names of your own: cgroups and shim sockets are shared machine-wide. */
  readonly namespace: string;
}

export interface RunOptions extends CtrOptions {
  readonly snapshotter: string;
  /** Instead of the image's own entrypoint and command. */
  readonly command?: readonly string[];
  /** More flags for `ctr run`. */
  readonly flags?: readonly string[];
}

export interface ExecOptions extends CtrOptions {
  readonly command: readonly string[];
}

/** A task as `ctr task ls` shows it. */
export interface Task {
  readonly id: string;
  /** Of the container's first process, in this pid namespace; 0 when it has ended. */
  readonly pid: number;
  readonly status: string;
}

/** Below the directory. */
const CONFIGURATION = 'config.toml';

const START_LIMIT = 30_000;
const CTR_LIMIT = 60_000;
const IMPORT_LIMIT = 300_000;
/** Patience with containerd's SIGTERM; it has no work left by then. */
const STOP_PATIENCE = 10_000;

/** Names of the architectures in Go, by Node's. */
const PLATFORMS: Readonly<Partial<Record<NodeJS.Architecture, string>>> = { x64: 'linux/amd64' };

/**
 * A containerd with root, state and socket in a directory of its own, beside whatever containerd the machine runs.
 * Disposing of it ends every task, shim and mount that it started, and itself, each within a time limit.
 */
export class PrivateContainerd implements AsyncDisposable {
  /** Every namespace that was used: their containers are ours to end. */
  readonly #namespaces = new Set<string>();
  #process: BackgroundProcess;
  #executions = 0;

  private constructor(
    readonly directory: string,
    /** For example `1.6.20~ds1`. */
    readonly version: string,
    readonly socket: string,
    private readonly binaries: string | undefined,
    private readonly environment: Readonly<Record<string, string>>,
  ) {
    this.#process = this.#spawn();
  }

  /**
   * Starts it and waits until it answers.
   *
   * @throws BackgroundProcessError with the end of its log when it does not come up.
   * @throws CommandError when there is no containerd to start.
   */
  static async start(options: PrivateContainerdOptions): Promise<PrivateContainerd> {
    const { directory, signal, programs, proxies = [] } = options;
    if (!isAbsolute(directory)) throw new Error(`${directory}: ctr wants absolute paths`);
    const binaries = options.binaryDirectory ?? process.env['ISHARE_TEST_CONTAINERD_BIN'];
    const version = await containerdVersion(binaries);
    const paths = {
      root: join(directory, 'root'),
      state: join(directory, 'state'),
      optional: join(directory, 'opt'),
      temporary: join(directory, 'tmp'),
      fifos: join(directory, 'fifo'),
    };
    for (const path of Object.values(paths)) await mkdir(path, { recursive: true, mode: 0o700 });
    const { socket } = containerdPlaces(directory);
    await writeFile(
      join(directory, CONFIGURATION),
      containerdConfig({
        ...paths,
        major: Number(version.split('.')[0]),
        socket,
        proxies,
        unpackFor: ['overlayfs', 'native'],
        unpackForErofs: options.unpackForErofs === true,
        platform: PLATFORMS[process.arch] ?? `linux/${process.arch}`,
      }),
    );
    const environment = {
      // Mount points for unpacking are made here, where disposing finds them; shims are looked up in PATH.
      TMPDIR: paths.temporary,
      PATH: [programs, binaries, process.env['PATH']].filter((part) => part !== undefined).join(':'),
    };
    const containerd = new PrivateContainerd(directory, version, socket, binaries, environment);
    try {
      await containerd.#waitForAnswer(signal);
      return containerd;
    } catch (error) {
      await containerd[Symbol.asyncDispose]();
      throw error;
    }
  }

  get major(): number {
    return Number(this.version.split('.')[0]);
  }

  get logFile(): string {
    return this.#process.logFile;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /**
   * Runs `ctr` and returns its stdout.
   *
   * @throws CtrError, which tells containerd's error kinds apart.
   */
  async ctr(args: readonly string[], options: CtrOptions): Promise<string> {
    this.#namespaces.add(options.namespace);
    try {
      const { stdout } = await runCommand(
        programIn(this.binaries, 'ctr'),
        ['--address', this.socket, '--namespace', options.namespace, ...args],
        { timeLimit: options.timeLimit ?? CTR_LIMIT, signal: options.signal, environment: this.environment },
      );
      return stdout;
    } catch (error) {
      throw error instanceof CommandError ? new CtrError(error) : error;
    }
  }

  /** Imports an OCI archive and unpacks it for a snapshotter. Returns the references of its images. */
  async import(archive: string, options: CtrOptions & { readonly snapshotter: string }): Promise<string[]> {
    const before = await this.images(options);
    const args = ['images', 'import', '--snapshotter', options.snapshotter, archive];
    const output = await this.ctr(args, { ...options, timeLimit: options.timeLimit ?? IMPORT_LIMIT });
    const after = await this.images(options);
    // An image that was there under the same name shows in ctr's own words only.
    return after.filter((reference) => !before.includes(reference) || output.includes(reference));
  }

  async images(options: CtrOptions): Promise<string[]> {
    return lines(await this.ctr(['images', 'list', '--quiet'], options));
  }

  /** Starts a container in the background and returns the pid of its first process. */
  async run(image: string, id: string, options: RunOptions): Promise<number> {
    const args = ['run', '--detach', '--null-io', '--snapshotter', options.snapshotter];
    args.push('--runc-root', join(this.directory, 'runc'), '--fifo-dir', join(this.directory, 'fifo'));
    await this.ctr([...args, ...(options.flags ?? []), image, id, ...(options.command ?? [])], options);
    return this.pidOf(id, options);
  }

  /** Runs a program in a running container and returns what it wrote. */
  async exec(id: string, options: ExecOptions): Promise<string> {
    this.#executions += 1;
    const args = ['task', 'exec', '--fifo-dir', join(this.directory, 'fifo'), '--exec-id'];
    return this.ctr([...args, `exec-${this.#executions}`, id, ...options.command], options);
  }

  async tasks(options: CtrOptions): Promise<Task[]> {
    const [, ...rows] = lines(await this.ctr(['task', 'list'], options));
    return rows.map((row) => {
      const [id = '', pid = '0', status = ''] = row.trim().split(/\s+/);
      return { id, pid: Number(pid), status };
    });
  }

  /** The pid of a running container's first process. */
  async pidOf(id: string, options: CtrOptions): Promise<number> {
    const task = (await this.tasks(options)).find((found) => found.id === id);
    if (task === undefined || task.pid === 0) throw new Error(`container ${id} has no running task`);
    return task.pid;
  }

  async killTask(id: string, options: CtrOptions): Promise<void> {
    await this.ctr(['task', 'kill', '--signal', 'SIGKILL', id], options).catch(ignoreGone);
  }

  /** Ends a container's task, if any, and removes it. The container and its snapshot stay. One that is gone is no error. */
  async removeTask(id: string, options: CtrOptions): Promise<void> {
    await this.killTask(id, options);
    // SIGKILL takes effect a moment after the call returns; until then the task cannot be deleted.
    const deadline = Date.now() + 10_000;
    for (;;) {
      try {
        await this.ctr(['task', 'delete', id], options);
        break;
      } catch (error) {
        if (error instanceof CtrError && error.kind === 'not-found') break;
        if (!(error instanceof CtrError) || Date.now() > deadline) throw error;
        await sleep(50);
      }
    }
  }

  /** Starts a container that has no task, and returns the pid of its first process. */
  async startTask(id: string, options: CtrOptions): Promise<number> {
    const flags = ['--detach', '--null-io', '--fifo-dir', join(this.directory, 'fifo')];
    await this.ctr(['task', 'start', ...flags, id], options);
    return this.pidOf(id, options);
  }

  /** Ends a container's task, if any, and removes task, container and its snapshot. One that is gone is no error. */
  async removeContainer(id: string, options: CtrOptions): Promise<void> {
    await this.removeTask(id, options);
    await this.ctr(['containers', 'delete', id], options).catch(ignoreGone);
  }

  async removeImage(reference: string, options: CtrOptions): Promise<void> {
    // --sync waits for the garbage collector, which removes the snapshots that nothing needs.
    await this.ctr(['images', 'remove', '--sync', reference], options);
  }

  async removeSnapshot(key: string, options: CtrOptions & { readonly snapshotter: string }): Promise<void> {
    await this.ctr(['snapshots', '--snapshotter', options.snapshotter, 'remove', key], options);
  }

  /**
   * Mounts the root that a container of an image would have, without running one: a container is created for its
   * snapshot. (`ctr images mount` would not do: in 1.6 it disregards `--snapshotter`.)
   */
  async mountRoot(
    reference: string,
    target: string,
    options: CtrOptions & { readonly snapshotter: string },
  ): Promise<void> {
    await mkdir(target, { recursive: true });
    const id = containerFor(target);
    await this.ctr(
      ['containers', 'create', '--snapshotter', options.snapshotter, reference, id, '/'],
      options,
    );
    const command = await this.ctr(
      ['snapshots', '--snapshotter', options.snapshotter, 'mounts', target, id],
      options,
    );
    // ctr prints the command line: mount -t TYPE SOURCE TARGET -o OPTIONS.
    const [, ...args] = command.trim().split(' ');
    await runCommand('mount', args, { timeLimit: 30_000, signal: options.signal });
  }

  /** Undoes `mountRoot`, however far it came. */
  async unmountRoot(target: string, options: CtrOptions): Promise<void> {
    await detachMountsBelow(target);
    await this.ctr(['containers', 'delete', containerFor(target)], options).catch(ignoreGone);
  }

  /** SIGTERM to containerd alone; true when it ended by itself in time. Shims and containers go on running. */
  async stop(): Promise<boolean> {
    return this.#process.stop(STOP_PATIENCE);
  }

  /** Ends it the hard way, as a crash would: containers go on running, and disposing of it ends those too. */
  async crash(): Promise<void> {
    this.#process.signal('SIGKILL');
    await this.#process.waitForExit(STOP_PATIENCE);
  }

  /**
   * Starts it again on the same directories, and waits until it answers: it has found the shims that it left running by
   * then. It must not be running.
   */
  async restart(): Promise<void> {
    if (this.#process.running) throw new Error('containerd is still running');
    this.#process = this.#spawn();
    await this.#waitForAnswer();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.running) await this.#removeContainers();
    // Shims outlive containerd on purpose, so they are looked for before and after it ends.
    const before = await shimsOf(this.socket);
    await this.#process.stop(STOP_PATIENCE);
    const shims = [...before, ...(await shimsOf(this.socket))];
    const left = await killProcesses(await processesOf(shims), STOP_PATIENCE);
    await removeShimSockets(this.socket, shims);
    await detachMountsBelow(this.directory);
    await removeCgroups([...this.#namespaces].filter((namespace) => namespace !== 'default'));
    if (left.length > 0) throw new Error(`processes outlive SIGKILL: ${left.join(' ')}`);
  }

  #spawn(): BackgroundProcess {
    return BackgroundProcess.start({
      program: programIn(this.binaries, 'containerd'),
      arguments: ['--config', join(this.directory, CONFIGURATION)],
      logFile: join(this.directory, 'containerd.log'),
      environment: this.environment,
    });
  }

  async #waitForAnswer(signal?: AbortSignal): Promise<void> {
    const answers = async (): Promise<boolean> =>
      this.ctr(['version'], { namespace: 'default', timeLimit: 5_000, signal }).then(
        () => true,
        () => false,
      );
    await this.#process.waitUntil(answers, `no answer at ${this.socket}`, START_LIMIT, signal);
  }

  async #removeContainers(): Promise<void> {
    for (const namespace of this.#namespaces) {
      const options = { namespace, timeLimit: 10_000 };
      try {
        const ids = lines(await this.ctr(['containers', 'list', '--quiet'], options));
        await Promise.all(ids.map(async (id) => this.removeContainer(id, options)));
      } catch {
        // A containerd or snapshotter that answers no more: what is left is ended by pid below.
      }
    }
  }
}

/** Where a private containerd in this directory has its socket, and its content store. */
export function containerdPlaces(directory: string): { readonly socket: string; readonly content: string } {
  return {
    socket: join(directory, 'c.sock'),
    content: join(directory, 'root', 'io.containerd.content.v1.content'),
  };
}

/** The version that a containerd binary names; 1.x and 2.x print `containerd SOURCE VERSION REVISION`. */
async function containerdVersion(binaries: string | undefined): Promise<string> {
  if (binaries !== undefined) await access(join(binaries, 'containerd'));
  const { stdout } = await runCommand(programIn(binaries, 'containerd'), ['--version'], {
    timeLimit: 10_000,
  });
  const version = /^containerd \S+ v?(\d+\.\S+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`containerd --version says no version: ${stdout.trim()}`);
  return version;
}

function programIn(binaries: string | undefined, name: string): string {
  return binaries === undefined ? name : join(binaries, name);
}

/** The container that holds the snapshot of a mounted root. */
function containerFor(target: string): string {
  return `root-${basename(target)}`;
}

function ignoreGone(error: unknown): void {
  if (!(error instanceof CtrError && error.kind === 'not-found')) throw error;
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}
