import type { Logger } from 'winston';
import type { DomainDecision, DomainRequest } from '../config/domain-policy';
import type { LayerServer } from '../ishare/layer-server';
import type { LayerImageBuilder, ReadLayerRoot } from './image-building';
import type { Paths } from './paths';
import type { LayerOptions } from './snapshot-layers';
import type { MetadataStore } from './store/metadata-store';
import type { SnapshotId } from './store/snapshot-table';

export interface SnapshotsOptions {
  /** Stays the caller's, to be closed after this. */
  readonly store: MetadataStore;
  readonly paths: Paths;
  readonly builder: LayerImageBuilder;
  /** For images of merged metadata, which somebody waits for who wants to run something; `builder` where it is left out. */
  readonly mergingBuilder?: LayerImageBuilder;
  /** How long after the last layer of an image its merged metadata is made (ms); only when it is needed, where this is left out. */
  readonly mergeAheadMs?: number;
  readonly layerServer: LayerServer;
  readonly readLayerRoot: ReadLayerRoot;
  /** The domain that a new active snapshot or view on a committed one belongs to. */
  readonly domainFor: (request: DomainRequest) => DomainDecision;
  /** Nothing is checked, and no image is being verified, where this is left out. */
  readonly layers?: LayerOptions;
  /** Whether containerd's erofs differ may deliver layers as images; not, where this is left out. */
  readonly acceptReadyMade?: boolean;
  /** A layer was committed, built here or ready-made. */
  readonly onCommitted?: (id: SnapshotId) => void;
  /** Everything that was in use at the start is attached again. Must not reject; nothing is detached before it has resolved. */
  readonly onRecovered?: () => Promise<void>;
  readonly logger: Logger;
  /** How long a layer without a user stays attached, in ms. */
  readonly lingerMs?: number;
}
