import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { Logger } from 'winston';
import { DigestTable } from '../erofs/digests/digest-table';
import { digestUnits } from '../erofs/digests/unit-digests';
import { errorCode } from '../linux/errno';
import { withSubject } from '../linux/named-failure';
import { dropCachedPages } from '../linux/page-cache';
import { noteSound } from './image-damage';
import type { Paths } from './paths';
import type { MetadataStore } from './store/metadata-store';
import type { Snapshot, SnapshotId } from './store/snapshot-table';

const PRIVATE_FILE = 0o600;

/** What of an image cannot be read is taken for this. */
const UNREADABLE = new Set(['EIO', 'EUCLEAN']);

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
  const target = paths.image(id);
  const table = await DigestTable.read({ path: paths.digests(id), root }, target);
  await using from = await open(source, 'r');
  await using to = await open(target, constants.O_RDWR | constants.O_CREAT, PRIVATE_FILE);
  let wrong = 0;
  try {
    for (let offset = 0; offset < table.imageLength; offset += table.unitSize) {
      const length = Math.min(table.unitSize, table.imageLength - offset);
      const isRight = (unit: Buffer): boolean =>
        table.wrongUnits(offset, digestUnits(unit, table.unitSize)).length === 0;
      if (isRight(await readUnit(to, offset, length))) continue;
      const unit = await readUnit(from, offset, length);
      if (isRight(unit)) await writeUnit(to, unit, offset);
      else wrong += 1;
    }
    await to.truncate(table.imageLength);
    await to.sync();
  } catch (error) {
    throw withSubject(error, target);
  }
  // Images are read past the page cache.
  dropCachedPages(from.fd);
  dropCachedPages(to.fd);
  return wrong;
}

/** Zeros stand for what is not there or cannot be read. */
async function readUnit(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const unit = Buffer.alloc(length);
  try {
    for (let done = 0; done < length;) {
      const { bytesRead } = await file.read(unit, done, length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
  } catch (error) {
    if (!UNREADABLE.has(errorCode(error) ?? '')) throw error;
  }
  return unit;
}

async function writeUnit(file: FileHandle, unit: Buffer, offset: number): Promise<void> {
  for (let done = 0; done < unit.length;) {
    done += (await file.write(unit, done, unit.length - done, offset + done)).bytesWritten;
  }
}
