import type { Logger } from 'winston';
import type { LayerServer } from '../ishare/layer-server';
import type { Labels } from '../proto/snapshots';
import { LayerUses, type LayerUsesOptions } from './layer-uses';
import { MergedImages, type MergedImagesOptions } from './merged-images';
import { MergingAhead } from './merging-ahead';
import { lowerLayersOf, type LayerOptions, type LowerLayers } from './snapshot-layers';
import { becomesLayer } from './snapshot-purpose';
import type { Lower, Snapshot, SnapshotId } from './store/snapshot-table';

export interface ChainsOptions extends MergedImagesOptions, LayerUsesOptions {
  readonly layerServer: LayerServer;
  readonly layers: LayerOptions;
  /** See MergingAhead; nothing is merged ahead where it is left out. */
  readonly mergeAheadMs?: number | undefined;
  /** See MergingAheadOptions. */
  readonly layersComing: () => boolean;
  readonly logger: Logger;
}

/** What active snapshots and views lie above: decided when they are made, numbered, attached while they need it. */
export class ChainsInUse {
  readonly #options: ChainsOptions;
  readonly #uses: LayerUses;
  /** Undefined: the layer server cannot serve any. */
  readonly #merged: MergedImages | undefined;
  readonly #ahead: MergingAhead | undefined;

  constructor(options: ChainsOptions) {
    this.#options = options;
    this.#uses = new LayerUses(options.layerServer, options);
    const merged = options.layerServer.attachMerged === undefined ? undefined : new MergedImages(options);
    this.#merged = merged;
    const { mergeAheadMs: patienceMs } = options;
    if (merged !== undefined && patienceMs !== undefined)
      this.#ahead = new MergingAhead({
        ...options,
        patienceMs,
        merge: (top, signal) => merged.ensureAhead(top, signal),
      });
  }

  /** What a new snapshot on `parent` shall lie above; the merged image is there then. Rejects as MergedImages does. */
  async decide(
    request: { readonly key: string; readonly labels: Readonly<Labels> },
    parent: Snapshot,
  ): Promise<Lower> {
    if (this.#merged === undefined || becomesLayer(request)) return 'layers';
    return (await this.#merged.ensure(parent)) ? 'merged' : 'layers';
  }

  /** A layer was committed: if it is the last one of an image, something may soon run from its chain. */
  committed(request: { readonly key: string; readonly labels: Readonly<Labels> }, id: SnapshotId): void {
    if (becomesLayer(request)) this.#ahead?.committed(id);
  }

  /** To be called before a layer is made: see MergingAhead. */
  async makeWay(): Promise<void> {
    await this.#ahead?.makeWay();
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

  async close(): Promise<void> {
    await this.#ahead?.[Symbol.asyncDispose]();
    await this.#uses.close();
  }
}
