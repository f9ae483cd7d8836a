import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { Logger } from 'winston';
import { ErofsCorruptError } from '../erofs/errors';
import { Kind } from '../proto/snapshots';
import { parseImageFileName, type Paths } from './paths';
import type { MetadataStore } from './store/metadata-store';
import type { SnapshotId } from './store/snapshot-table';

/** Of what is still used containerd fetches no second copy into the same namespace. */
const ADVICE =
  'an image is damaged: pull it again after removing it and what uses it, or pull it into another namespace';

/**
 * Writes down that the image at `imagePath` was found to be wrong, at the first time and with a line in the log; what
 * follows of the same image adds nothing.
 */
export function noteDamage(store: MetadataStore, logger: Logger, imagePath: string, problem: string): void {
  const file = parseImageFileName(basename(imagePath));
  if (file === undefined) return;
  const { id } = file;
  if (file.merged) {
    noteMergedDamage(store, logger, id, problem);
    return;
  }
  const name = store.transaction(() => {
    const snapshot = store.snapshots.get(id);
    if (snapshot?.kind !== Kind.COMMITTED || snapshot.damage !== '') return undefined;
    store.snapshots.setDamage(id, problem);
    return snapshot.name;
  });
  if (name === undefined) return;
  logger.error(ADVICE, { image: name, problem });
}

function noteMergedDamage(store: MetadataStore, logger: Logger, id: SnapshotId, problem: string): void {
  const name = store.transaction(() => {
    if (store.mergedImages.find(id)?.damage !== '') return undefined;
    store.mergedImages.setDamage(id, problem);
    return store.snapshots.get(id)?.name;
  });
  if (name === undefined) return;
  logger.error(
    'the merged metadata of an image is damaged: the next container that runs from it has it repaired',
    {
      image: name,
      problem,
    },
  );
}

/** Writes down which images of a committed snapshot are not there. */
export function noteMissing(store: MetadataStore, paths: Paths, logger: Logger, id: SnapshotId): void {
  const merged = store.mergedImages.find(id) === undefined ? [] : [paths.mergedImage(id)];
  for (const image of [paths.image(id), ...merged])
    if (!existsSync(image)) noteDamage(store, logger, image, 'its file is gone');
}

/** Writes down what `error`, thrown by work on layers, says of an image. Other errors say nothing of one. */
export function noteDamageIn(store: MetadataStore, logger: Logger, error: unknown): void {
  if (error instanceof ErofsCorruptError) noteDamage(store, logger, error.image, error.message);
}

/** The image file at `imagePath` was found to be as it should be: what was written down before holds no longer. */
export function noteSound(store: MetadataStore, logger: Logger, imagePath: string): void {
  const file = parseImageFileName(basename(imagePath));
  if (file === undefined) return;
  const { id, merged } = file;
  const name = store.transaction(() => {
    const snapshot = store.snapshots.get(id);
    const damage = merged ? store.mergedImages.find(id)?.damage : snapshot?.damage;
    if (snapshot === undefined || (damage ?? '') === '') return undefined;
    if (merged) store.mergedImages.setDamage(id, '');
    else store.snapshots.setDamage(id, '');
    return snapshot.name;
  });
  if (name === undefined) return;
  logger.info(merged ? 'merged metadata is no longer damaged' : 'an image is no longer damaged', {
    image: name,
  });
}
