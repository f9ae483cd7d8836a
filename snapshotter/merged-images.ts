import { rename, rm } from 'node:fs/promises';
import type { Logger } from 'winston';
import { BuildWorkerCrashedError } from '../erofs/build-worker';
import { ErofsError } from '../erofs/errors';
import { ImageBuildError } from '../erofs/writer/errors';
import { InternalError, NotFoundError } from './errors';
import type { LayerImageBuilder } from './image-building';
import { noteDamageIn, noteSound } from './image-damage';
import type { Paths } from './paths';
import type { LayerOptions } from './snapshot-layers';
import type { MetadataStore } from './store/metadata-store';
import type { MergedImage } from './store/merged-image-table';
import type { Snapshot, SnapshotId } from './store/snapshot-table';
import { repairUnits } from './unit-repair';

export interface MergedImagesOptions {
  readonly store: MetadataStore;
  readonly paths: Paths;
  readonly builder: LayerImageBuilder;
  readonly layers: Pick<LayerOptions, 'verifyOnRead'>;
  /** Snapshots with files that no row owns yet. */
  readonly busy: Set<SnapshotId>;
  readonly logger: Logger;
}

interface Making {
  readonly result: Promise<boolean>;
  readonly controller: AbortController;
  /** Somebody waits for it, so it is not given up. */
  wanted: boolean;
}

/**
 * Images of the merged metadata of whole chains: each is built when something is to run from its chain for the first time,
 * and stays as it is until the topmost layer goes.
 */
export class MergedImages {
  readonly #options: MergedImagesOptions;
  readonly #underWay = new Map<SnapshotId, Making>();
  /** What one rebuilding has not repaired the next one will not: their layers do not change. */
  readonly #beyondRepair = new Set<SnapshotId>();

  constructor(options: MergedImagesOptions) {
    this.#options = options;
  }

  /**
   * Resolves to whether there is a usable image of the chain below and with `top`; whoever asks for one that is being built
   * waits for it. One that was found damaged is repaired, for those who use it too. There is none for a chain of one layer, nor where a layer cannot be read whole or merged, or has more
   * entries than memory is for: overlayfs shows what can be shown of them, so its containers run from the layers.
   *
   * Rejects where the machine fails, such as with ENOSPC: nothing is wrong with the chain then, and a container that is
   * started without its merged image keeps its many layers for as long as it runs. Whoever asked may try again.
   */
  async ensure(top: Snapshot): Promise<boolean> {
    for (;;) {
      const making = this.#make(top);
      if (typeof making === 'boolean') return making;
      making.wanted = true;
      try {
        return await making.result;
      } catch (error) {
        // Else it had been given up before anybody waited for it.
        if (!making.controller.signal.aborted) throw error;
      }
    }
  }

  /**
   * The same for nobody in particular: when `signal` is aborted it is given up, and this rejects, unless somebody has come to wait
   * for it meanwhile.
   */
  async ensureAhead(top: Snapshot, signal: AbortSignal): Promise<void> {
    const making = this.#make(top);
    if (typeof making === 'boolean') return;
    let giveUp: () => void = () => undefined;
    try {
      await new Promise<unknown>((resolve, reject) => {
        giveUp = () => {
          if (making.wanted) resolve(true);
          else making.controller.abort();
        };
        signal.addEventListener('abort', giveUp, { once: true });
        making.result.then(resolve, reject);
      });
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** What is being made of a chain, begun if need be; or whether there is an image, where nothing is to be made. */
  #make(top: Snapshot): Making | boolean {
    const { store } = this.#options;
    const known = store.mergedImages.find(top.id);
    if (known?.damage === '') return true;
    const underWay = this.#underWay.get(top.id);
    if (underWay !== undefined) return underWay;
    const chain = store.transaction(() => store.snapshots.chain(top.id));
    if (chain.length < 2) return false;
    const controller = new AbortController();
    const work =
      known === undefined ? this.#build(top, chain, controller.signal) : this.#repair(top, chain, known);
    const result = work.finally(() => this.#underWay.delete(top.id));
    const making = { result, controller, wanted: false };
    this.#underWay.set(top.id, making);
    return making;
  }

  async #build(top: Snapshot, chain: readonly Snapshot[], signal: AbortSignal): Promise<boolean> {
    const { store, paths, busy, logger } = this.#options;
    const [target, digests] = [paths.mergedImage(top.id), paths.mergedDigests(top.id)];
    busy.add(top.id);
    try {
      const { nidLimit, digestsRoot } = await this.#merge(chain, target, digests, signal);
      store.transaction(() => {
        this.#assertThere(top);
        store.mergedImages.insert({ snapshotId: top.id, nidLimit, digestsRoot });
      });
      return true;
    } catch (error) {
      await this.#discard([target, digests]);
      // Its images may have gone with it.
      this.#assertThere(top);
      if (!isOfLayers(error)) throw error;
      noteDamageIn(store, logger, error);
      logger.warn('the layers of an image cannot be merged: its containers run from each of them', {
        image: top.name,
        error,
      });
      return false;
    } finally {
      busy.delete(top.id);
    }
  }

  /**
   * The image is built once more, and gives what is wrong in the damaged one. It is the same image where the same writer has
   * built both; where it is not, containers run from the layers.
   */
  async #repair(
    top: Snapshot,
    chain: readonly Snapshot[],
    { digestsRoot: root }: MergedImage,
  ): Promise<boolean> {
    if (this.#beyondRepair.has(top.id)) return false;
    const { store, paths, busy, logger } = this.#options;
    const [target, digests] = [paths.mergedImage(top.id), paths.mergedDigests(top.id)];
    const [rebuilt, rebuiltDigests] = [paths.rebuiltImage(top.id), paths.rebuiltDigests(top.id)];
    busy.add(top.id);
    try {
      if ((await this.#merge(chain, rebuilt, rebuiltDigests)).digestsRoot === root) {
        await rename(rebuiltDigests, digests);
        if ((await repairUnits({ path: target, digests: { path: digests, root } }, rebuilt)) === 0) {
          noteSound(store, logger, target);
          return true;
        }
      }
      this.#beyondRepair.add(top.id);
      logger.warn('merged metadata stays damaged: containers run from each layer', { image: top.name });
    } catch (error) {
      this.#assertThere(top);
      noteDamageIn(store, logger, error);
      logger.warn('damaged merged metadata cannot be repaired', { image: top.name, error });
    } finally {
      await this.#discard([rebuilt, rebuiltDigests]);
      busy.delete(top.id);
    }
    return false;
  }

  async #merge(
    chain: readonly Snapshot[],
    target: string,
    digests: string,
    signal?: AbortSignal,
  ): Promise<Pick<MergedImage, 'nidLimit' | 'digestsRoot'>> {
    const { paths, builder, layers: options } = this.#options;
    const layers = chain.map(({ id, digestsRoot: root }) => ({
      path: paths.image(id),
      digests: options.verifyOnRead && root !== undefined ? { path: paths.digests(id), root } : undefined,
    }));
    const { nidLimit, digestsRoot } = await builder.build({
      source: { layers },
      target,
      digests,
      ...(signal && { signal }),
    });
    if (digestsRoot === undefined) throw new InternalError(`${target}: no digests were recorded`);
    return { nidLimit, digestsRoot };
  }

  #assertThere({ id, name }: Snapshot): void {
    if (this.#options.store.snapshots.get(id) === undefined)
      throw new NotFoundError(`parent snapshot "${name}" does not exist`);
  }

  /** What stays behind is a leftover, for Cleanup and the next start. */
  async #discard(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      try {
        await rm(path, { force: true });
      } catch (error) {
        this.#options.logger.warn('cannot delete an image', { path, error });
      }
    }
  }
}

/** Whether it is for the sake of the layers that they cannot be merged. */
function isOfLayers(error: unknown): boolean {
  return (
    error instanceof ErofsError ||
    error instanceof ImageBuildError ||
    // What takes more heap than there is ends its thread.
    error instanceof BuildWorkerCrashedError
  );
}
