import type { VerifiedFile } from '../ishare/image-trust';
import type { LayerAttachment } from '../ishare/layer-server';
import { DataLossError } from './errors';
import type { Paths } from './paths';
import { NO_DOMAIN, type Domain, type DomainId } from './store/domain-table';
import type { MetadataStore } from './store/metadata-store';
import type { SnapshotId } from './store/snapshot-table';

/** What decides the layers of an active snapshot or view. */
export interface LayeredSnapshot {
  readonly parentId: SnapshotId | undefined;
  readonly domainId: DomainId;
}

export interface LayerOptions {
  /** Whether blocks are checked against their recorded digests each time they are read. */
  readonly verifyOnRead: boolean;
  /** Files of an unverified image that have been verified so far. */
  verifiedFiles(id: SnapshotId): readonly VerifiedFile[];
}

/**
 * The parent chain of a snapshot as the layer server takes it, nearest parent first. Pairs of image and domain that
 * were never attached get their numbers here: to be called within a transaction.
 */
export function layersOf(
  store: MetadataStore,
  paths: Paths,
  snapshot: LayeredSnapshot,
  options: LayerOptions,
): LayerAttachment[] {
  if (snapshot.parentId === undefined) return [];
  const domain = domainOf(store, snapshot.domainId);
  return store.snapshots.chain(snapshot.parentId).map((layer) => {
    const attachment = store.attachments.ensure(layer.id, snapshot.domainId, layer.nidLimit);
    return {
      attachmentId: attachment.id,
      imagePath: paths.image(layer.id),
      label: layer.name,
      domain,
      trust: layer.trust,
      verified: options.verifiedFiles(layer.id),
      digests:
        options.verifyOnRead && layer.digestsRoot !== undefined
          ? { path: paths.digests(layer.id), root: layer.digestsRoot }
          : undefined,
      nodeRange: attachment.nodeRange,
      inoBase: attachment.inoBase,
      inoCount: attachment.inoCount,
    };
  });
}

function domainOf(store: MetadataStore, id: DomainId): Domain | undefined {
  if (id === NO_DOMAIN) return undefined;
  const domain = store.domains.get(id);
  if (domain === undefined) throw new DataLossError(`domain ${id} is used by a snapshot and is not stored`);
  return domain;
}
