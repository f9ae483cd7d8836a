import { ArchiveError } from './archive-error';
import type { ErofsReading } from './erofs-layer';
import type { LayerSource, OpenImage } from './layer-source';
import type { ArchivedImage, ImageChoice } from './oci/archived-image';
import { readArchivedLayer } from './oci/archived-layer-reading';
import { DOCKER_MANIFEST_PATH, readDockerImage } from './oci/docker-image';
import type { ImageStore } from './oci/image-store';
import { INDEX_PATH, readLayoutImage } from './oci/layout-image';
import { platformText } from './oci/platform';

/** Finds an image in a directory or tar, which it owns from here on, unless this throws. */
export async function openedArchive(
  label: string,
  store: ImageStore,
  choice: ImageChoice,
  reading: ErofsReading,
): Promise<OpenImage> {
  const { name, platform, layers } = await readImage(store, choice);
  return {
    label,
    name,
    platform: platform && platformText(platform),
    layers: layers.map((layer): LayerSource => ({
      identity: layer.chainId,
      content: layer.diffId,
      bytes: layer.size,
      read: (onRead) => readArchivedLayer(store, layer, reading, onRead),
    })),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** Archives that have both lists (Docker since version 25, containerd) say the same in both; the index says more. */
async function readImage(store: ImageStore, choice: ImageChoice): Promise<ArchivedImage> {
  if (await has(store, INDEX_PATH)) return await readLayoutImage(store, choice);
  if (await has(store, DOCKER_MANIFEST_PATH)) return await readDockerImage(store, choice);
  const problem = `holds no image: it has neither ${INDEX_PATH} nor ${DOCKER_MANIFEST_PATH}`;
  throw new ArchiveError(store.label, problem);
}

async function has(store: ImageStore, path: string): Promise<boolean> {
  await using source = await store.open(path);
  return source !== undefined;
}
