import { rm } from 'node:fs/promises';
import { realtimeNs } from '../linux/clock';
import { Kind, type Labels, type Mount } from '../proto/snapshots';
import { ChainBuilder } from './chain-builder';
import { ChainsInUse } from './chains-in-use';
import { makeCommittedImage, usageOfImages } from './committed-image';
import { CommitsUnderWay, type CommitUnderWay } from './commits-under-way';
import { domainOfNew } from './domain-of-snapshot';
import { diskUsage } from './disk-usage';
import { FailedPreconditionError, InvalidArgumentError } from './errors';
import type { LayerTar } from '../erofs/build';
import { compileFilters } from './filter/filter';
import { snapshotFields } from './filter/snapshot-fields';
import { noteDamageIn, noteMissing } from './image-damage';
import { repairSameLayer } from './image-repair';
import type { LayerRoot } from './image-building';
import { KeyLocks } from './key-locks';
import { storableLabels, updateLabels } from './labels';
import { discardLeftovers } from './leftovers';
import { planMounts } from './mount-plan';
import { snapshotMounts } from './mount-users';
import type { Paths } from './paths';
import { acceptReadyMadeImage, isForUnpacking } from './ready-made-image';
import { makeRootDirectories, makeSnapshotDirectories } from './snapshot-directories';
import { batches } from './snapshot-batches';
import { recoverDirectory } from './recovery';
import type { CommitRequest, NewSnapshotRequest } from './snapshot-requests';
import { committable, committedParent, existing, parentAtCommit, parentOfNew } from './snapshot-rules';
import { StartRecovery } from './start-recovery';
import type { SnapshotsOptions } from './snapshots-options';
import type { SnapshotInfo, SnapshotUsage } from './snapshot-info';
import type { MetadataStore } from './store/metadata-store';
import type { Lower, Snapshot, SnapshotId } from './store/snapshot-table';
import { Trash } from './trash';
import { unpackLayer, type UnpackRequest } from './layer-unpacking';

const DEFAULT_LINGER_MS = 5_000;

/**
 * Snapshots as containerd defines them (core/snapshots, containerd 1.6 to 2.x), over EROFS images: what is committed
 * becomes an image, what is active is an overlay above the images of its parents. Errors are SnapshotterErrors
 * where the caller is at fault.
 */
export class Snapshots implements AsyncDisposable {
  readonly #options: SnapshotsOptions;
  readonly #store: MetadataStore;
  readonly #paths: Paths;
  readonly #locks = new KeyLocks();
  readonly #chains: ChainsInUse;
  readonly #trash: Trash;
  /** Snapshots with files that no row owns yet. */
  readonly #busy = new Set<SnapshotId>();
  /** Snapshots that a failed call stored, and could not delete again. */
  readonly #undone = new Set<SnapshotId>();
  readonly #commits = new CommitsUnderWay();
  readonly #recovery: StartRecovery;
  #recovered: Promise<void> = Promise.resolve();

  private constructor(options: SnapshotsOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#paths = options.paths;
    this.#trash = new Trash(options.paths.trash, options.logger, snapshotMounts(options.paths));
    const { builder, mergingBuilder } = options;
    this.#chains = new ChainsInUse({
      ...options,
      builder: mergingBuilder === undefined ? builder : new ChainBuilder(builder, mergingBuilder),
      layers: options.layers ?? { verifyOnRead: false, verifiedFiles: () => [] },
      busy: this.#busy,
      layersComing: () => !this.#commits.idle,
      lingerMs: options.lingerMs ?? DEFAULT_LINGER_MS,
      onDetached: () => this.forgetRetiredDomains(),
      mayDetach: () => this.#recovered,
    });
    this.#recovery = new StartRecovery(this.#store.snapshots.all(), (snapshot) =>
      this.#warnOnFailure('snapshot is damaged', snapshot.name, () => this.#recoverSnapshot(snapshot)),
    );
  }

  /**
   * Discards what no snapshot owns. Then, in the background, brings disk and metadata into agreement after whatever happened, and
   * attaches the layers of all active snapshots; calls about a snapshot wait for what concerns that one.
   */
  static async open(options: SnapshotsOptions): Promise<Snapshots> {
    await makeRootDirectories(options.paths);
    const snapshots = new Snapshots(options);
    await snapshots.#discardLeftovers();
    await snapshots.#trash.recover();
    snapshots.forgetRetiredDomains();
    snapshots.#recovered = snapshots.#recover();
    return snapshots;
  }

  /** Resolves when all is recovered that was there at the start. Nothing is detached before. Never rejects. */
  get recovered(): Promise<void> {
    return this.#recovered;
  }

  /** Makes a writable snapshot on a committed parent or on nothing, and resolves to its mounts. */
  prepare(request: NewSnapshotRequest): Promise<Mount[]> {
    return this.#create(Kind.ACTIVE, request);
  }

  /** Makes a read-only snapshot on a committed parent or on nothing, and resolves to its mounts. */
  view(request: NewSnapshotRequest): Promise<Mount[]> {
    return this.#create(Kind.VIEW, request);
  }

  /** The mounts of an active snapshot or view, as prepare() or view() gave them. */
  mounts(key: string): Promise<Mount[]> {
    return this.#locks.run([key], () => this.#mountsOf(existing(this.#store.snapshots, key)));
  }

  /** Makes an active snapshot a committed one: builds its image, stores it under its name, drops its directories. */
  async commit(request: CommitRequest): Promise<void> {
    const { key, name, labels } = request;
    if (name === '') throw new InvalidArgumentError('a committed snapshot needs a name');
    const stored = storableLabels(labels);
    await this.#makeLayer(key, name, () =>
      this.#locks.run([key, name], () => this.#commit({ ...request, labels: stored })),
    );
  }

  /**
   * Makes the image of a layer straight from its blob, for the active snapshot that the mounts are of. Its upper directory stays
   * empty, and so do its mounts look until commit() takes the image; unpack() again replaces it. Throws UnimplementedError,
   * before anything is changed, where somebody else has to unpack the layer.
   */
  async unpack(request: UnpackRequest): Promise<LayerTar> {
    const place = { store: this.#store, paths: this.#paths, builder: this.#options.builder };
    return unpackLayer(place, request, (key, work) =>
      this.#makeLayer(key, request.blob.digest, () =>
        this.#locks.run([key], async () => {
          try {
            await this.#recovery.of(existing(this.#store.snapshots, key).id);
            return await work({
              onStart: () => this.#commits.building(key),
              onProgress: (progress) => this.#commits.progressed(key, progress),
            });
          } catch (error) {
            noteDamageIn(this.#store, this.#options.logger, error);
            throw error;
          }
        }),
      ),
    );
  }

  /** Commits and layers being unpacked that are not done yet, in the order in which they came. */
  commitsUnderWay(): CommitUnderWay[] {
    return this.#commits.list();
  }

  /** Images of layers so far. */
  get imagesMade(): { readonly done: number; readonly failed: number } {
    return this.#commits;
  }

  /**
   * Forgets a snapshot that has no children. Its files are deleted in the background; those that are still mounted, once
   * they are not, and cleanup() is called.
   */
  remove(key: string): Promise<void> {
    return this.#locks.run([key], async () => {
      await this.#recovery.of(existing(this.#store.snapshots, key).id);
      const { snapshot, attachments } = this.#store.transaction(() => {
        const found = existing(this.#store.snapshots, key);
        if (this.#store.snapshots.hasChildren(found.id)) {
          throw new FailedPreconditionError(
            `cannot remove snapshot "${key}": other snapshots have it as parent`,
          );
        }
        const ids = this.#store.attachments.ofSnapshot(found.id).map(({ id }) => id);
        this.#store.snapshots.delete(found.id);
        return { snapshot: found, attachments: ids };
      });
      // The snapshot is gone whatever happens from here on; files that stay behind are leftovers for cleanup().
      if (snapshot.kind === Kind.COMMITTED) {
        await this.#warnOnFailure('cannot detach a removed layer', key, () => this.#chains.drop(attachments));
        for (const path of this.#paths.committedFiles(snapshot.id)) {
          await this.#warnOnFailure('cannot discard an image', key, () => this.#trash.discard(path));
        }
      } else {
        this.#chains.release(snapshot.id);
        await this.#discardDirectory(snapshot);
      }
    });
  }

  stat(key: string): SnapshotInfo {
    return existing(this.#store.snapshots, key);
  }

  /** Changes labels; `paths` is the field mask, see updateLabels(). Resolves to the snapshot as it is afterwards. */
  update(name: string, labels: Readonly<Labels>, paths: readonly string[]): Promise<SnapshotInfo> {
    return this.#locks.run([name], () =>
      Promise.resolve(
        this.#store.transaction(() => {
          const { id, labels: current } = existing(this.#store.snapshots, name);
          this.#store.snapshots.setLabels(id, updateLabels(current, labels, paths), realtimeNs());
          return existing(this.#store.snapshots, name);
        }),
      ),
    );
  }

  /** The snapshots that match one of the filters (all, if there is none), in batches. Other calls may come between. */
  list(filters: readonly string[]): Generator<SnapshotInfo[], void, undefined> {
    const matches = compileFilters(filters);
    return batches(this.#store.snapshots.all(), (snapshot) => matches(snapshotFields(snapshot)));
  }

  /** Disk space of the snapshot alone; merged metadata of its chain is its own. Walks the tree of an active one. */
  async usage(key: string, signal?: AbortSignal): Promise<SnapshotUsage> {
    const snapshot = existing(this.#store.snapshots, key);
    if (snapshot.kind !== Kind.ACTIVE) return usageOfImages(this.#store, this.#paths, snapshot);
    try {
      return await diskUsage(this.#paths.upper(snapshot.id), signal);
    } catch (error) {
      // Committed or removed during the walk: then that is the answer.
      existing(this.#store.snapshots, key);
      throw error;
    }
  }

  /**
   * Deletes files that no snapshot owns, and what was removed earlier and could not be deleted then. All of it is out of the
   * way when this resolves, and deleted in the background: containerd has nothing to wait for.
   */
  async cleanup(): Promise<void> {
    await this.#discardLeftovers();
    await this.#trash.recover();
  }

  /** Forgets domains that were rotated away, as far as nothing is in them and no layer is attached there. */
  forgetRetiredDomains(): void {
    try {
      this.#store.transaction(() => this.#store.domains.forgetRetired(this.#chains.attached()));
    } catch (error) {
      // They go the next time, or with the next start.
      this.#options.logger.warn('cannot forget rotated domains', { error });
    }
  }

  /** To be called when no other call is in progress. Layers in use stay attached. */
  async close(): Promise<void> {
    await this.#recovered;
    await this.#chains.close();
    await this.#trash.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #create(kind: typeof Kind.ACTIVE | typeof Kind.VIEW, request: NewSnapshotRequest): Promise<Mount[]> {
    const { key } = request;
    if (key === '') throw new InvalidArgumentError('a snapshot needs a key');
    const labels = storableLabels(request.labels);
    return this.#locks.run([key], async () => {
      for (const undone of this.#undone) await this.#undoCreate(undone);
      const parent = parentOfNew(this.#store.snapshots, key, request.parent);
      const id = this.#store.snapshots.reserveId();
      this.#busy.add(id);
      try {
        const root = parent === undefined ? undefined : await this.#layerRoot(parent);
        await makeSnapshotDirectories(this.#paths, { id, kind }, root);
        if (this.#options.acceptReadyMade === true && isForUnpacking(key))
          await acceptReadyMadeImage(this.#paths, id);
        const lower = parent === undefined ? 'layers' : await this.#chains.decide({ key, labels }, parent);
        const snapshot = this.#insert(id, kind, lower, { key, parent: request.parent, labels });
        return await this.#mountsOf(snapshot);
      } catch (error) {
        await this.#warnOnFailure('cannot undo a failed call yet', key, () => this.#undoCreate(id));
        throw error;
      } finally {
        this.#busy.delete(id);
      }
    });
  }

  async #layerRoot(parent: Snapshot): Promise<LayerRoot> {
    try {
      return await this.#options.readLayerRoot(this.#paths.image(parent.id));
    } catch (error) {
      // The parent may have been removed while its image was read.
      committedParent(this.#store.snapshots, parent.name);
      noteDamageIn(this.#store, this.#options.logger, error);
      throw error;
    }
  }

  #insert(
    id: SnapshotId,
    kind: typeof Kind.ACTIVE | typeof Kind.VIEW,
    lower: Lower,
    request: NewSnapshotRequest,
  ): Snapshot {
    const { key, labels } = request;
    return this.#store.transaction(() => {
      const parent = parentOfNew(this.#store.snapshots, key, request.parent);
      const domain = domainOfNew(this.#options, { key, labels }, parent);
      const about = { ...domain, lower, labels, nowNs: realtimeNs() };
      const snapshot = { id, key, parentId: parent?.id, kind, ...about };
      this.#store.snapshots.insert(snapshot);
      // Here, so that a chain that cannot be numbered leaves nothing behind.
      this.#chains.number(snapshot);
      return existing(this.#store.snapshots, key);
    });
  }

  async #undoCreate(id: SnapshotId): Promise<void> {
    this.#undone.add(id);
    this.#store.transaction(() => {
      this.#store.snapshots.delete(id);
    });
    this.#undone.delete(id);
    this.#chains.release(id);
    await this.#discardDirectory({ id, name: `of id ${id}` });
  }

  async #mountsOf(snapshot: Snapshot): Promise<Mount[]> {
    const { id, kind } = snapshot;
    if (kind === Kind.COMMITTED) {
      throw new FailedPreconditionError(
        `snapshot "${snapshot.name}" is committed; only active ones and views have mounts`,
      );
    }
    await this.#recovery.of(id);
    const lower = await this.#lowerOf(snapshot);
    return planMounts({ kind, upper: this.#paths.upper(id), work: this.#paths.work(id), lower });
  }

  async #lowerOf(snapshot: Snapshot): Promise<string[]> {
    try {
      return await this.#chains.use(snapshot);
    } catch (error) {
      noteDamageIn(this.#store, this.#options.logger, error);
      throw error;
    }
  }

  #makeLayer<Result>(key: string, name: string, work: () => Promise<Result>): Promise<Result> {
    return this.#commits.run(key, name, async () => {
      await this.#chains.makeWay();
      return await work();
    });
  }

  async #commit(request: CommitRequest): Promise<void> {
    const snapshot = committable(this.#store.snapshots, request);
    const { id } = snapshot;
    await this.#recovery.of(id);
    this.#busy.add(id);
    try {
      const image = await makeCommittedImage(this.#paths, id, this.#options.builder, {
        signal: request.signal,
        onStart: () => this.#commits.building(request.key),
        onProgress: (progress) => this.#commits.progressed(request.key, progress),
      });
      request.signal?.throwIfAborted();
      this.#store.transaction(() => {
        this.#store.snapshots.commit(id, {
          name: request.name,
          parentId: parentAtCommit(this.#store.snapshots, request),
          labels: request.labels,
          ...image,
          nowNs: realtimeNs(),
        });
      });
    } catch (error) {
      for (const path of [this.#paths.image(id), this.#paths.digests(id)]) {
        await this.#warnOnFailure('cannot delete an image', request.key, () => rm(path, { force: true }));
      }
      throw error;
    } finally {
      this.#busy.delete(id);
    }
    this.#chains.release(id);
    this.#chains.committed({ key: request.key, labels: snapshot.labels }, id);
    this.#options.onCommitted?.(id);
    await this.#discardDirectory(snapshot);
    await this.#warnOnFailure('cannot repair a damaged image', request.name, () =>
      repairSameLayer(this.#store, this.#paths, id, this.#options.logger),
    );
  }

  #discardDirectory({ id, name }: Pick<Snapshot, 'id' | 'name'>): Promise<void> {
    return this.#warnOnFailure('cannot discard a snapshot directory', name, () =>
      this.#trash.discard(this.#paths.snapshot(id)),
    );
  }

  /** For what follows a change that is stored already: its failure must not look like a failure of the call. */
  async #warnOnFailure(message: string, snapshot: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.logger.warn(message, { snapshot, error });
    }
  }

  async #discardLeftovers(): Promise<void> {
    for (const id of this.#undone) await this.#undoCreate(id);
    const leftovers = await discardLeftovers(this.#paths, this.#store, this.#trash, this.#busy);
    if (leftovers.length > 0)
      this.#options.logger.info('discarding what no snapshot owns', { paths: leftovers });
  }

  async #recover(): Promise<void> {
    await this.#recovery.all();
    await this.#options.onRecovered?.();
  }

  async #recoverSnapshot(snapshot: Snapshot): Promise<void> {
    if (snapshot.kind === Kind.COMMITTED) {
      noteMissing(this.#store, this.#paths, this.#options.logger, snapshot.id);
      return;
    }
    await recoverDirectory(this.#paths, snapshot, this.#options.readLayerRoot);
    await this.#lowerOf(snapshot);
  }
}
