import type { Logger } from 'winston';
import { noteSound } from './image-damage';
import type { Paths } from './paths';
import type { MetadataStore } from './store/metadata-store';
import type { Snapshot, SnapshotId } from './store/snapshot-table';
import { repairUnits } from './unit-repair';

/**
 * Repairs images of the layer that was committed as `id` that are marked as damaged, and takes the marks from those that are
 * whole again. Wrong units are taken from the new image where they have the digests that the damaged image had when it was
 * built, so it does not matter who made the new one, nor that the two differ elsewhere: times of directories that a layer
 * does not name are those of its unpacking. They are written in place; containers that have the image open read what is
 * right from then on.
 *
 * containerd never commits under a name that it knows, so that of a layer in use no second copy comes into the same
 * namespace. One comes when it is unpacked in another.
 */
export async function repairSameLayer(
  store: MetadataStore,
  paths: Paths,
  id: SnapshotId,
  logger: Logger,
): Promise<void> {
  for (const damaged of damagedOfSameLayer(store, id)) {
    const image = damaged.name;
    const wrong = await repair(damaged, paths, paths.image(id));
    if (wrong === 0) noteSound(store, logger, paths.image(damaged.id));
    else logger.warn('an image stays damaged: a new one of its layer differs there', { image, units: wrong });
  }
}

function damagedOfSameLayer(store: MetadataStore, id: SnapshotId): Snapshot[] {
  return store.transaction(() => {
    const committed = store.snapshots.get(id);
    if (committed === undefined) return [];
    return store.snapshots.damaged().filter(({ name }) => layerOf(name) === layerOf(committed.name));
  });
}

/** The chain id in a name as containerd makes it: NAMESPACE/NUMBER/CHAINID. */
function layerOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

/** Resolves to the number of units that are still wrong. An image without digests is wrong as a whole. */
async function repair({ id, digestsRoot: root }: Snapshot, paths: Paths, source: string): Promise<number> {
  if (root === undefined) return 1;
  return repairUnits({ path: paths.image(id), digests: { path: paths.digests(id), root } }, source);
}
