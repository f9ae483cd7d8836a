import { join } from 'node:path';
import { AdminConnection } from '../../cmd/ishare/admin-connection';
import type { DomainState, ImageState, InodeState, StatusResponse } from '../../proto/admin-messages';
import { CommandError, runCommand } from '../../scripts/process/command';
import type { CommandEnd } from './image-command';

/** The launcher of this checkout, from dist/test/harness. */
const PROGRAM = join(__dirname, '..', '..', '..', 'bin', 'ishare');
const TIME_LIMIT = 30_000;

/** The `ishare` command with `--json`, run as an operator would, against one daemon's admin socket. */
export class IshareCommand {
  constructor(private readonly adminSocket: string) {}

  status(): Promise<StatusResponse> {
    return this.json('status');
  }

  domains(): Promise<DomainState[]> {
    return this.json('domains', 'ls');
  }

  inodes(domain: string): Promise<InodeState[]> {
    return this.json('inodes', 'ls', '--domain', domain);
  }

  images(): Promise<ImageState[]> {
    return this.json('images', 'ls');
  }

  /**
   * READ requests that the kernel has sent to either mount since the daemon's start. A page-cache hit sends none,
   * whichever mount the pages belong to.
   */
  async reads(): Promise<number> {
    const { images, ishare } = await this.readsByMount();
    return images + ishare;
  }

  /** The same for each mount. */
  async readsByMount(): Promise<{ readonly images: number; readonly ishare: number }> {
    // Asked for often, so without starting a program each time.
    using connection = new AdminConnection(this.adminSocket);
    const { images_requests, ishare_requests } = await connection.call<StatusResponse>((client, ...rest) =>
      client.Status({}, ...rest),
    );
    return { images: images_requests['READ'] ?? 0, ishare: ishare_requests['READ'] ?? 0 };
  }

  /** The answer to a command that must succeed. */
  async json<Answer>(...words: readonly string[]): Promise<Answer> {
    const { stdout } = await runCommand(PROGRAM, this.#arguments([...words, '--json']), {
      timeLimit: TIME_LIMIT,
    });
    return JSON.parse(stdout) as Answer;
  }

  /** What a command that must succeed prints for people. */
  async text(...words: readonly string[]): Promise<string> {
    const { stdout, stderr } = await runCommand(PROGRAM, this.#arguments(words), { timeLimit: TIME_LIMIT });
    expect(stderr).toBe('');
    return stdout;
  }

  /** How a command ends. Throws where a signal or the time limit ends it. */
  async run(...words: readonly string[]): Promise<CommandEnd> {
    try {
      return {
        exitCode: 0,
        ...(await runCommand(PROGRAM, this.#arguments(words), { timeLimit: TIME_LIMIT })),
      };
    } catch (error) {
      if (!(error instanceof CommandError) || error.outcome.failure !== 'exit-code') throw error;
      const { exitCode, stdout, stderr } = error.outcome;
      return { exitCode, stdout, stderr };
    }
  }

  #arguments(words: readonly string[]): string[] {
    return [...words, '--address', this.adminSocket];
  }
}
