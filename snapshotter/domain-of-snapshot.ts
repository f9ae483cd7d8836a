import type { Labels } from '../proto/snapshots';
import type { SnapshotsOptions } from './snapshots-options';
import { NO_DOMAIN } from './store/domain-table';
import type { NewSnapshot, Snapshot } from './store/snapshot-table';

type SnapshotDomain = Pick<NewSnapshot, 'domainId' | 'domainRule'>;

/** A snapshot on nothing has no layers to share. */
const ALONE: SnapshotDomain = { domainId: NO_DOMAIN, domainRule: '' };

/** The domain of a new active snapshot or view, made where it is new. To be called within a transaction. */
export function domainOfNew(
  { store, domainFor, logger }: Pick<SnapshotsOptions, 'store' | 'domainFor' | 'logger'>,
  { key, labels }: { readonly key: string; readonly labels: Readonly<Labels> },
  parent: Snapshot | undefined,
): SnapshotDomain {
  if (parent === undefined) return ALONE;
  const { domain, rule, refused } = domainFor({ key, labels, parentLabels: parent.labels });
  if (refused !== undefined) {
    logger.warn('refused the domain that a label asks for', { snapshot: key, refused, domain, rule });
  }
  return {
    domainId: domain === undefined ? NO_DOMAIN : store.domains.ensure(domain).id,
    domainRule: rule,
  };
}
