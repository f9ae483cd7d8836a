import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError, runCommand } from '../../scripts/process/command';
import { eventually } from '../../linux/testing/eventually';

/** The launcher of this checkout, from dist/test/harness. */
export const ISHARE = join(__dirname, '..', '..', '..', 'bin', 'ishare');
const TIME_LIMIT = 20_000;

/** How a command has ended. */
export interface CommandEnd {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** `ishare image` with these words, as a user runs it. Throws where a signal or the time limit ends it. */
export async function imageCommand(...words: readonly string[]): Promise<CommandEnd> {
  try {
    return { exitCode: 0, ...(await runCommand(ISHARE, ['image', ...words], { timeLimit: TIME_LIMIT })) };
  } catch (error) {
    if (!(error instanceof CommandError) || error.outcome.failure !== 'exit-code') throw error;
    const { exitCode, stdout, stderr } = error.outcome;
    return { exitCode, stdout, stderr };
  }
}

/** `ishare image` with a terminal's part played by the test: it sends signals and reads what is said meanwhile. */
export class ForegroundCommand implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  stdout = '';
  stderr = '';

  constructor(...words: readonly string[]) {
    this.#child = spawn(ISHARE, ['image', ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (text: Buffer) => (this.stdout += text.toString()));
    this.#child.stderr?.on('data', (text: Buffer) => (this.stderr += text.toString()));
    this.#exited = once(this.#child, 'close');
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Waits until it has a file below this path open: it is at work by then, and has taken signals over. */
  async opens(path: string): Promise<void> {
    await eventually(`${path} is opened`, async () => {
      const descriptors = await readdir(`/proc/${this.pid}/fd`);
      // One may be closed meanwhile.
      const read = (name: string): Promise<string> =>
        readlink(`/proc/${this.pid}/fd/${name}`).catch(() => '');
      return (await Promise.all(descriptors.map(read))).some((file) => file.startsWith(path));
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Waits until it has said something on either output. */
  async says(text: string): Promise<void> {
    await eventually(`"${text}" is said`, () => (this.stdout + this.stderr).includes(text) || !this.running);
    expect(this.stdout + this.stderr).toContain(text);
  }

  /** Closes what it writes to, as a terminal that goes away does. */
  stopListening(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  /** Waits for its end, and gives the exit code or the signal that ended it. */
  async ends(): Promise<number | NodeJS.Signals> {
    await eventually('the command ends', () => !this.running);
    await this.#exited;
    return this.#child.exitCode ?? this.#child.signalCode!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.running) this.signal('SIGKILL');
    await this.#exited;
  }
}
