import { join } from 'node:path';
import { AdminConnection } from '../../cmd/ishare/admin-connection';
import type { DomainState, ImageState, InodeState, StatusResponse } from '../../proto/admin-messages';
import { runCommand } from '../../scripts/process/command';

/** The launcher of this checkout, from dist/test/harness. */
const PROGRAM = join(__dirname, '..', '..', '..', 'bin', 'ishare');
const TIME_LIMIT = 30_000;

/** The `ishare` command with `--json`, run as an operator would, against one daemon's admin socket. */
export class IshareCommand {
  constructor(private readonly adminSocket: string) {}

  status(): Promise<StatusResponse> {
    return this.#json('status');
  }

  domains(): Promise<DomainState[]> {
    return this.#json('domains', 'ls');
  }

  inodes(domain: string): Promise<InodeState[]> {
    return this.#json('inodes', 'ls', '--domain', domain);
  }

  images(): Promise<ImageState[]> {
    return this.#json('images', 'ls');
  }

  /**
   * READ requests that the kernel has sent to either mount since the daemon's start. A page-cache hit sends none,
   * whichever mount the pages belong to.
   */
  async reads(): Promise<number> {
    // Asked for often, so without starting a program each time.
    using connection = new AdminConnection(this.adminSocket);
    const { images_requests, ishare_requests } = await connection.call<StatusResponse>((client, ...rest) =>
      client.Status({}, ...rest),
    );
    return (images_requests['READ'] ?? 0) + (ishare_requests['READ'] ?? 0);
  }

  async #json<Answer>(...words: string[]): Promise<Answer> {
    const args = [...words, '--json', '--address', this.adminSocket];
    const { stdout } = await runCommand(PROGRAM, args, { timeLimit: TIME_LIMIT });
    return JSON.parse(stdout) as Answer;
  }
}
