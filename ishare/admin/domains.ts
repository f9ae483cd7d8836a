import type {
  DomainDetails,
  RotateDomainRequest,
  RotateDomainResponse,
  ShowDomainRequest,
} from '../../proto/admin-messages';
import { Accounts } from './accounts';
import { AdminError } from './admin-error';
import type { AdminContext } from './context';
import { checkedDomain, quoted } from './request-fields';
import type { AdminSources } from './sources';

/** What a domain holds. Its secret id is told only where it was asked for, and the log says so. */
export async function showDomain(
  context: AdminContext,
  { name, with_secret_id: withSecret }: ShowDomainRequest,
): Promise<DomainDetails> {
  const { sources, log } = context;
  requireDomain(sources, name);
  const accounts = await Accounts.take(context);
  const identity = sources.domain(name);
  if (withSecret && identity !== undefined)
    log('warn', 'the secret id of a domain was shown', { domain: name });
  return {
    domain: accounts.domainState(name),
    token: identity?.token ?? '',
    secret_id: withSecret ? (identity?.secret.toString('hex') ?? '') : '',
    images: accounts.images.filter(({ domain }) => domain === name).map(({ label }) => label),
    containers: accounts.containers
      .filter(({ domain }) => domain === name)
      .map((container) => accounts.containerState(container)),
  };
}

/** New containers get the new id; those that run keep the old one, with all that they share in it. */
export function rotateDomain(
  { sources, log }: AdminContext,
  { name }: RotateDomainRequest,
): RotateDomainResponse {
  requireDomain(sources, name);
  const containers = sources.rotateDomain(name);
  log('info', 'a domain was rotated', { domain: name, containersThatStay: containers });
  return { containers };
}

/** Throws AdminError for a name that no domain has or can have. */
export function requireDomain(sources: AdminSources, name: string): void {
  checkedDomain(name);
  if (sources.domainNames().includes(name)) return;
  throw new AdminError(
    'NOT_FOUND',
    `there is no domain ${quoted(name)}: the configuration names none, and none was used (ishare domains ls)`,
  );
}
