import type { Logger } from 'winston';
import type { LayerServer } from '../ishare/layer-server';
import type { Labels } from '../proto/snapshots';
import { LayerUses, type LayerUsesOptions } from './layer-uses';
import { MergedImages, type MergedImagesOptions } from './merged-images';
import { lowerLayersOf, type LayerOptions, type LowerLayers } from './snapshot-layers';
import { becomesLayer } from './snapshot-purpose';
import type { Lower, Snapshot, SnapshotId } from './store/snapshot-table';

export interface ChainsOptions extends MergedImagesOptions, LayerUsesOptions {
  readonly layerServer: LayerServer;
  readonly layers: LayerOptions;
  readonly logger: Logger;
}

/** What active snapshots and views lie above: decided when they are made, numbered, attached while they need it. */
export class ChainsInUse {
  readonly #options: ChainsOptions;
  readonly #uses: LayerUses;
  /** Undefined: the layer server cannot serve any. */
  readonly #merged: MergedImages | undefined;

  constructor(options: ChainsOptions) {
    this.#options = options;
    this.#uses = new LayerUses(options.layerServer, options);
    this.#merged = options.layerServer.attachMerged === undefined ? undefined : new MergedImages(options);
  }

  /** What a new snapshot on `parent` shall lie above; the merged image is there then. Rejects as MergedImages does. */
  async decide(
    request: { readonly key: string; readonly labels: Readonly<Labels> },
    parent: Snapshot,
  ): Promise<Lower> {
    if (this.#merged === undefined || becomesLayer(request)) return 'layers';
    return (await this.#merged.ensure(parent)) ? 'merged' : 'layers';
  }

  /** Gives numbers to all that a snapshot lies above. To be called within a transaction; throws where none are left. */
  number(snapshot: Pick<Snapshot, 'parentId' | 'domainId' | 'lower'>): LowerLayers {
    const { store, paths, layers } = this.#options;
    return lowerLayersOf(store, paths, snapshot, layers);
  }

  /** Attaches all that a snapshot lies above, and resolves to the directories, topmost first. See LayerUses. */
  async use(snapshot: Snapshot): Promise<string[]> {
    const { layers, merged } = this.#options.store.transaction(() => this.number(snapshot));
    if (merged === undefined) return this.#uses.use(snapshot.id, layers);
    return [await this.#uses.useMerged(snapshot.id, merged, layers)];
  }

  /** See LayerUses, which does the same of these names. */
  release(id: SnapshotId): void {
    this.#uses.release(id);
  }

  drop(attachmentIds: readonly number[]): Promise<void> {
    return this.#uses.drop(attachmentIds);
  }

  attached(): number[] {
    return this.#uses.attached();
  }

  close(): Promise<void> {
    return this.#uses.close();
  }
}
