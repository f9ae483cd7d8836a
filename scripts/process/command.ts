import { spawn } from 'node:child_process';
import { errorCode } from '../../linux/errno';

/** How a program ended badly: it could not be started, answered non-zero, was killed, took too long or was called off. */
export type CommandFailure = 'not-started' | 'exit-code' | 'signal' | 'time-limit' | 'aborted';

/** What is known of a program that failed. */
export interface CommandOutcome {
  readonly failure: CommandFailure;
  readonly program: string;
  readonly arguments: readonly string[];
  /** Absent unless the program ended by itself. */
  readonly exitCode?: number | undefined;
  /** Absent unless a signal ended it. */
  readonly signal?: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that did not do what it was asked to. `message` ends with the last words it wrote to stderr. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';

  constructor(
    readonly outcome: CommandOutcome,
    options?: ErrorOptions,
  ) {
    super(describe(outcome), options);
  }

  get stderr(): string {
    return this.outcome.stderr;
  }
}

function describe(outcome: CommandOutcome): string {
  const command = [outcome.program, ...outcome.arguments].join(' ');
  const shown = command.length > 300 ? `${command.slice(0, 300)}…` : command;
  const reason = {
    'not-started': 'could not be started',
    'exit-code': `ended with ${outcome.exitCode ?? 'no code'}`,
    signal: `was ended by ${outcome.signal ?? 'a signal'}`,
    'time-limit': 'did not end within its time limit',
    aborted: 'was called off',
  }[outcome.failure];
  const lastWords = outcome.stderr.trim().split('\n').slice(-5).join('\n');
  return lastWords === '' ? `${shown}: ${reason}` : `${shown}: ${reason}: ${lastWords}`;
}

export interface CommandOptions {
  /** Milliseconds after which the program and its children are killed. */
  readonly timeLimit?: number;
  readonly directory?: string;
  /** Added to this process's own environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Calls the program off. */
  readonly signal?: AbortSignal | undefined;
}

export interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** Output beyond this many bytes is dropped from the front, so that a talkative program costs no memory. */
const OUTPUT_LIMIT = 16 << 20;
const DEFAULT_TIME_LIMIT = 120_000;

/**
 * Runs a program to its end and returns what it wrote. The program is the leader of a session of its own: Ctrl-C on
 * the terminal does not reach it, and a time limit or an abort kills its children with it.
 *
 * @throws CommandError for every end other than exit code 0.
 */
export function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandOutput> {
  const { signal, timeLimit = DEFAULT_TIME_LIMIT } = options;
  return new Promise((resolve, reject) => {
    const stdout = new Tail(OUTPUT_LIMIT);
    const stderr = new Tail(OUTPUT_LIMIT);
    const fail = (failure: CommandFailure, details: Partial<CommandOutcome> = {}, cause?: unknown): void => {
      const outcome = {
        failure,
        program,
        arguments: args,
        stdout: stdout.text(),
        stderr: stderr.text(),
        ...details,
      };
      reject(new CommandError(outcome, { cause }));
    };
    if (signal?.aborted === true) {
      fail('aborted', {}, signal.reason);
      return;
    }
    const child = spawn(program, args, {
      cwd: options.directory,
      env: { ...process.env, ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let killedFor: 'time-limit' | 'aborted' | undefined;
    const kill = (reason: 'time-limit' | 'aborted'): void => {
      killedFor ??= reason;
      if (child.pid !== undefined) killGroup(child.pid);
      // A grandchild in a session of its own may hold the pipes open; nobody waits for it.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const timer = setTimeout(() => {
      kill('time-limit');
    }, timeLimit);
    const onAbort = (): void => {
      kill('aborted');
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    child.stdout.on('data', (chunk: Buffer) => stdout.add(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.add(chunk));
    child.on('error', (error) => {
      settle();
      fail('not-started', {}, error);
    });
    child.on('close', (exitCode, endedBy) => {
      settle();
      if (killedFor !== undefined) fail(killedFor);
      else if (endedBy !== null) fail('signal', { signal: endedBy });
      else if (exitCode !== 0) fail('exit-code', { exitCode: exitCode ?? undefined });
      else resolve({ stdout: stdout.text(), stderr: stderr.text() });
    });
  });
}

/** SIGKILL to a process group. That it is gone already is no error. */
function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/** The last bytes of a stream. */
class Tail {
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(private readonly limit: number) {}

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#length > this.limit) {
      const dropped = this.#chunks.shift();
      if (dropped === undefined) break;
      this.#length -= dropped.length;
    }
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
