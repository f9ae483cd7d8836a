import { readdir } from 'node:fs/promises';
import type { LayerBlob, LayerTar } from '../erofs/build';
import { Kind, type Mount } from '../proto/snapshots';
import type { OpenBlob } from './containerd-content';
import { UnimplementedError } from './errors';
import type { LayerImageBuilder, LayerImageProgress } from './image-building';
import { snapshotOfMounts } from './layer-mounts';
import type { Paths } from './paths';
import type { MetadataStore } from './store/metadata-store';
import type { Snapshot, SnapshotId } from './store/snapshot-table';
import { unpackImage } from './unpacked-image';

export interface UnpackRequest {
  /** Of the active snapshot, as prepare() gave them. */
  readonly mounts: readonly Mount[];
  readonly blob: LayerBlob;
  /** Opens the blob once it is certain that it is needed. */
  readonly open: () => Promise<OpenBlob>;
  /** Gives up. */
  readonly signal?: AbortSignal;
}

export interface UnpackingPlace {
  readonly store: MetadataStore;
  readonly paths: Paths;
  readonly builder: LayerImageBuilder;
}

interface UnpackingWatch {
  readonly onStart: () => void;
  readonly onProgress: (progress: LayerImageProgress) => void;
}

/** Runs work while nobody else works on the snapshot with this key. */
type Exclusive = (key: string, work: (watch: UnpackingWatch) => Promise<LayerTar>) => Promise<LayerTar>;

/**
 * Unpacks a layer into the image of the active snapshot that the mounts are of. Throws UnimplementedError where they are not
 * ours, or something lies in the upper directory already: a layer on top of that is no image of its own.
 */
export async function unpackLayer(
  place: UnpackingPlace,
  request: UnpackRequest,
  exclusively: Exclusive,
): Promise<LayerTar> {
  const id = snapshotOfMounts(place.paths, request.mounts);
  if (id === undefined) throw new UnimplementedError('the mounts are not those of a snapshot of ours');
  const { name } = activeSnapshot(place, id);
  return exclusively(name, (watch) => unpackExclusively(place, id, request, watch));
}

async function unpackExclusively(
  { store, paths, builder }: UnpackingPlace,
  id: SnapshotId,
  { blob, open, signal }: UnpackRequest,
  watch: UnpackingWatch,
): Promise<LayerTar> {
  signal?.throwIfAborted();
  // Once more: it may have been removed or committed while this call waited for its turn.
  const { parentId } = activeSnapshot({ store }, id);
  if ((await readdir(paths.upper(id))).length > 0) {
    throw new UnimplementedError(`${paths.upper(id)}: files lie there already`);
  }
  const chain = parentId === undefined ? [] : store.transaction(() => store.snapshots.chain(parentId));
  const lower = chain.map((layer) => paths.image(layer.id));
  await using source = await open();
  try {
    return await unpackImage(paths, id, builder, { blob, path: source.path, lower, signal, ...watch });
  } catch (error) {
    signal?.throwIfAborted();
    // The builder sees no more of it than an early end.
    throw source.failure ?? error;
  }
}

function activeSnapshot({ store }: Pick<UnpackingPlace, 'store'>, id: SnapshotId): Snapshot {
  const snapshot = store.transaction(() => store.snapshots.get(id));
  if (snapshot?.kind !== Kind.ACTIVE)
    throw new UnimplementedError(`the mounts are those of number ${id}, which is no active snapshot`);
  return snapshot;
}
