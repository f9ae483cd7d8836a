import { Kind } from '../proto/snapshots';
import type { MetadataStore } from './store/metadata-store';

/** An active snapshot or view above images. */
export interface RunningSnapshot {
  readonly key: string;
  /** What in the configuration chose its domain, and the domain; "" where it is in none. */
  readonly rule: string;
  readonly domain: string;
  /** Of its layers, topmost first. */
  readonly attachments: readonly number[];
}

/** Every active snapshot and view above images, with the attachments that its layers have. */
export function runningSnapshots(store: MetadataStore): RunningSnapshot[] {
  return store.transaction(() =>
    Array.from(store.snapshots.all()).flatMap(({ kind, parentId, domainId, name, domainRule }) => {
      if (kind === Kind.COMMITTED || parentId === undefined) return [];
      return {
        key: name,
        rule: domainRule,
        domain: store.domains.get(domainId)?.name ?? '',
        attachments: store.snapshots
          .chain(parentId)
          .flatMap(({ id }) => store.attachments.find(id, domainId)?.id ?? []),
      };
    }),
  );
}
