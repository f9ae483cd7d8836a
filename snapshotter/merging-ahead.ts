import type { Logger } from 'winston';
import type { MetadataStore } from './store/metadata-store';
import type { Snapshot, SnapshotId } from './store/snapshot-table';

export interface MergingAheadOptions {
  readonly store: Pick<MetadataStore, 'snapshots' | 'transaction'>;
  /** Makes the image of the merged metadata of a chain; rejects soon after the signal is aborted. */
  readonly merge: (top: Snapshot, signal: AbortSignal) => Promise<void>;
  /** How long nothing may have come to lie above a layer for it to be the topmost of its image, in ms. */
  readonly patienceMs: number;
  /** Whether layers are being unpacked or committed: one of them may be next, where layers of an image come side by side. */
  readonly layersComing: () => boolean;
  readonly logger: Logger;
}

/**
 * Merges the chain below a layer soon after its commit, so that the first container does not wait for it. Whoever unpacks an
 * image prepares the next layer at once; only above the last one nothing comes.
 */
export class MergingAhead implements AsyncDisposable {
  readonly #options: MergingAheadOptions;
  readonly #timers = new Map<SnapshotId, NodeJS.Timeout>();
  /** One at a time: nobody waits for it, and each takes memory. */
  #underWay: Promise<void> | undefined;
  /** Of what is under way. */
  #controller = new AbortController();
  #closed = false;

  constructor(options: MergingAheadOptions) {
    this.#options = options;
  }

  /** A layer was committed. */
  committed(id: SnapshotId): void {
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(id);
      if (this.#underWay !== undefined || this.#options.layersComing()) this.committed(id);
      else this.#underWay = this.#merge(id).finally(() => (this.#underWay = undefined));
    }, this.#options.patienceMs);
    // It is worth nothing to a daemon that ends.
    timer.unref();
    this.#timers.set(id, timer);
  }

  /**
   * Gives up what is under way, and tries again later: a layer is about to be made, and another thread beside the one that
   * merges would take as much memory again.
   */
  async makeWay(): Promise<void> {
    this.#controller.abort();
    await this.#underWay;
  }

  async #merge(id: SnapshotId): Promise<void> {
    const { store, merge, logger } = this.#options;
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    try {
      const top = store.transaction(() =>
        store.snapshots.hasChildren(id) ? undefined : store.snapshots.get(id),
      );
      if (top !== undefined) await merge(top, signal);
    } catch (error) {
      if (signal.aborted) {
        this.committed(id);
        return;
      }
      // The next one who wants to run something tries again, and is told.
      logger.debug('cannot merge an image ahead', { snapshot: id, error });
    }
  }

  /** Gives up what is under way, and resolves when nothing is any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    await this.makeWay();
  }
}
