import type { Logger } from 'winston';
import { DomainPolicy, type DomainDecision, type DomainRequest } from '../../config/domain-policy';
import type { Config } from '../../config/schema';

/** The policy of domains that is in force, which can be read anew while the daemon runs. */
export class LivePolicy {
  readonly #started: Config;
  #policy: DomainPolicy;

  /** @param read reads the configuration again; rejects with ConfigError where it cannot be used. */
  constructor(
    config: Config,
    private readonly read: () => Promise<Config>,
    private readonly logger: Logger,
  ) {
    this.#started = config;
    this.#policy = new DomainPolicy(config.domains);
  }

  decide(request: DomainRequest): DomainDecision {
    return this.#policy.decide(request);
  }

  /** See DomainPolicy. */
  names(): string[] {
    return this.#policy.names();
  }

  /**
   * Reads the configuration again. Snapshots that are made from now on follow its `[domains]`; what else has changed
   * waits for the next start: resolves to those keys. Rejects with ConfigError for a bad file, and all stays as it was.
   */
  async reload(): Promise<string[]> {
    const next = await this.read();
    this.#policy = new DomainPolicy(next.domains);
    const waiting = changedKeys(this.#started, next).filter((key) => key !== 'domains');
    this.logger.info('configuration reloaded', { domains: this.names(), waitingForRestart: waiting });
    return waiting;
  }
}

/** Keys at the top of the configuration whose values differ. */
function changedKeys(one: Config, other: Config): string[] {
  const others = new Map(Object.entries(other));
  return Object.entries(one)
    .filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(others.get(key)))
    .map(([key]) => key);
}
