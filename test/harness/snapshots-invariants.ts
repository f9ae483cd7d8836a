import { readdir, stat } from 'node:fs/promises';
import { eventually } from '../../linux/testing/eventually';
import { Kind } from '../../proto/snapshots';
import type { Paths } from '../../snapshotter/paths';
import type { MetadataStore } from '../../snapshotter/store/metadata-store';

/**
 * What must hold of a root directory when no call is in progress and clean-up has run: every snapshot has its files and
 * every file its snapshot, and before long the trash is empty. Returns what does not hold.
 */
export async function brokenInvariants(paths: Paths, store: MetadataStore): Promise<string[]> {
  const broken: string[] = [];
  const images = new Set(await readdir(paths.images));
  const directories = new Set(await readdir(paths.snapshots));
  for (const snapshot of store.snapshots.all()) {
    if (snapshot.kind === Kind.COMMITTED) {
      const image = `${snapshot.id}.erofs`;
      // Beside the images that were built here, not those that came as they are.
      images.delete(`${snapshot.id}.digests`);
      if (store.mergedImages.find(snapshot.id) !== undefined) {
        for (const kind of ['erofs', 'digests'])
          if (!images.delete(`${snapshot.id}.merged.${kind}`))
            broken.push(`${snapshot.name}: no merged ${kind}`);
      }
      if (!images.delete(image)) broken.push(`${snapshot.name} has no image`);
      else if ((await stat(paths.image(snapshot.id))).size === 0) broken.push(`${image} is empty`);
    } else if (!directories.delete(String(snapshot.id))) {
      broken.push(`${snapshot.name} has no directory`);
    }
  }
  broken.push(...Array.from(images, (name) => `image ${name} is nobody's`));
  broken.push(...Array.from(directories, (name) => `directory ${name} is nobody's`));
  await trashEmptied(paths).catch(() => undefined);
  broken.push(...(await readdir(paths.trash)).map((name) => `${name} is left in the trash`));
  return broken;
}

/** Resolves once what was removed is deleted. */
export async function trashEmptied({ trash }: Paths): Promise<void> {
  await eventually('the trash is empty', async () => (await readdir(trash)).length === 0);
}
