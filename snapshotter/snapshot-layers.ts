import type { VerifiedFile } from '../ishare/image-trust';
import type { LayerAttachment, MergedLayers } from '../ishare/layer-server';
import { DataLossError } from './errors';
import type { Paths } from './paths';
import { NO_DOMAIN, type Domain, type DomainId } from './store/domain-table';
import type { MetadataStore } from './store/metadata-store';
import type { Lower, SnapshotId } from './store/snapshot-table';
import type { Attachment } from './store/attachment-table';

/** What decides the layers of an active snapshot or view. */
export interface LayeredSnapshot {
  readonly parentId: SnapshotId | undefined;
  readonly domainId: DomainId;
  readonly lower: Lower;
}

/** What a snapshot lies above, as the layer server takes it. */
export interface LowerLayers {
  /** Nearest parent first. */
  readonly layers: readonly LayerAttachment[];
  /** Undefined: the snapshot lies above the layers one by one. */
  readonly merged: MergedLayers | undefined;
}

export interface LayerOptions {
  /** Whether blocks are checked against their recorded digests each time they are read. */
  readonly verifyOnRead: boolean;
  /** Files of an unverified image that have been verified so far. */
  verifiedFiles(id: SnapshotId): readonly VerifiedFile[];
}

/**
 * The parent chain of a snapshot. Pairs of image and domain that were never attached get their numbers here: to be called
 * within a transaction.
 */
export function lowerLayersOf(
  store: MetadataStore,
  paths: Paths,
  snapshot: LayeredSnapshot,
  options: LayerOptions,
): LowerLayers {
  const layers = layersOf(store, paths, snapshot, options);
  return { layers, merged: mergedOf(store, paths, snapshot, layers, options) };
}

function mergedOf(
  store: MetadataStore,
  paths: Paths,
  { parentId, domainId, lower }: LayeredSnapshot,
  layers: readonly LayerAttachment[],
  { verifyOnRead }: LayerOptions,
): MergedLayers | undefined {
  if (parentId === undefined || lower === 'layers') return undefined;
  const image = store.mergedImages.find(parentId);
  const label = store.snapshots.get(parentId)?.name ?? '';
  if (image === undefined) throw new DataLossError(`the merged metadata of ${label} is not stored`);
  return {
    imagePath: paths.mergedImage(parentId),
    label,
    domain: domainOf(store, domainId),
    digests: verifyOnRead ? { path: paths.mergedDigests(parentId), root: image.digestsRoot } : undefined,
    layers: layers.map(({ attachmentId }) => attachmentId),
    ...numbersOf(store.attachments.ensure(parentId, domainId, image.nidLimit, 'merged')),
  };
}

function numbersOf({
  id,
  nodeRange,
  inoBase,
  inoCount,
}: Attachment): Pick<LayerAttachment, 'attachmentId' | 'nodeRange' | 'inoBase' | 'inoCount'> {
  return { attachmentId: id, nodeRange, inoBase, inoCount };
}

function layersOf(
  store: MetadataStore,
  paths: Paths,
  snapshot: LayeredSnapshot,
  options: LayerOptions,
): LayerAttachment[] {
  if (snapshot.parentId === undefined) return [];
  const domain = domainOf(store, snapshot.domainId);
  return store.snapshots.chain(snapshot.parentId).map((layer) => {
    return {
      imagePath: paths.image(layer.id),
      label: layer.name,
      domain,
      trust: layer.trust,
      verified: options.verifiedFiles(layer.id),
      digests:
        options.verifyOnRead && layer.digestsRoot !== undefined
          ? { path: paths.digests(layer.id), root: layer.digestsRoot }
          : undefined,
      ...numbersOf(store.attachments.ensure(layer.id, snapshot.domainId, layer.nidLimit)),
    };
  });
}

function domainOf(store: MetadataStore, id: DomainId): Domain | undefined {
  if (id === NO_DOMAIN) return undefined;
  const domain = store.domains.get(id);
  if (domain === undefined) throw new DataLossError(`domain ${id} is used by a snapshot and is not stored`);
  return domain;
}
