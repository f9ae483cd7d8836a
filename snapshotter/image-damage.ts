import { basename } from 'node:path';
import type { Logger } from 'winston';
import { ErofsCorruptError } from '../erofs/errors';
import { Kind } from '../proto/snapshots';
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
  const id = Number.parseInt(basename(imagePath), 10) as SnapshotId;
  const name = store.transaction(() => {
    const snapshot = store.snapshots.get(id);
    if (snapshot?.kind !== Kind.COMMITTED || snapshot.damage !== '') return undefined;
    store.snapshots.setDamage(id, problem);
    return snapshot.name;
  });
  if (name === undefined) return;
  logger.error(ADVICE, { image: name, problem });
}

/** Writes down what `error`, thrown by work on layers, says of an image. Other errors say nothing of one. */
export function noteDamageIn(store: MetadataStore, logger: Logger, error: unknown): void {
  if (error instanceof ErofsCorruptError) noteDamage(store, logger, error.image, error.message);
}

/** The image file at `imagePath` was found to be as it should be: what was written down before holds no longer. */
export function noteSound(store: MetadataStore, logger: Logger, imagePath: string): void {
  const id = Number.parseInt(basename(imagePath), 10) as SnapshotId;
  const name = store.transaction(() => {
    const snapshot = store.snapshots.get(id);
    if (snapshot === undefined || snapshot.damage === '') return undefined;
    store.snapshots.setDamage(id, '');
    return snapshot.name;
  });
  if (name !== undefined) logger.info('an image is no longer damaged', { image: name });
}
