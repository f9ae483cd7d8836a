import { ArchiveError } from '../archive-error';
import type { ArchivedImage, ArchivedLayer } from './archived-image';
import { layerIds, platformOf, readConfiguration } from './configuration';
import { blobPath } from './digest';
import { manifestSchema, readDocument, type Configuration, type Descriptor } from './documents';
import { openRequired, type ImageStore } from './image-store';
import { isForeign, layerForm } from './media-type';
import type { Platform } from './platform';

/** The image that a manifest describes. All that it needs is looked for at once. Throws ArchiveErrors. */
export async function readManifest(
  store: ImageStore,
  manifest: Descriptor,
  name: string | undefined,
): Promise<ArchivedImage> {
  const { configuration, layers } = await readDocuments(store, manifest);
  const ids = layerIds(store, configuration, layers.length);
  const archived: ArchivedLayer[] = [];
  for (const [index, id] of ids.entries()) {
    const layer = layers[index];
    if (layer !== undefined) archived.push({ ...(await checkedBlob(store, layer)), ...id });
  }
  return { name, platform: manifest.platform ?? platformOf(configuration), layers: archived };
}

/** The platform of an image whose descriptor tells none. */
export async function configuredPlatform(store: ImageStore, manifest: Descriptor): Promise<Platform> {
  const { configuration } = await readDocuments(store, manifest);
  return platformOf(configuration) ?? { os: 'unknown', architecture: 'unknown' };
}

async function readDocuments(
  store: ImageStore,
  { digest }: Descriptor,
): Promise<{ configuration: Configuration; layers: readonly Descriptor[] }> {
  await using source = await openRequired(store, blobPath(digest), 'the manifest');
  const { config, layers } = await readDocument(source, manifestSchema, digest);
  const configuration = await readConfiguration(store, blobPath(config.digest), config.digest);
  return { configuration, layers: layers ?? [] };
}

/** Finds out what would keep a layer from being read. */
async function checkedBlob(
  store: ImageStore,
  { mediaType, digest, size }: Descriptor,
): Promise<Omit<ArchivedLayer, 'diffId' | 'chainId'>> {
  const path = blobPath(digest);
  const label = `${store.label}, ${path}`;
  const form = layerForm(mediaType);
  if (form === 'encrypted') throw new ArchiveError(label, `an encrypted layer (${mediaType})`);
  if (form === 'unknown') {
    throw new ArchiveError(label, `a layer of the media type ${mediaType}, which is not known here`);
  }
  const what = isForeign(mediaType) ? 'a foreign layer, which archives leave out,' : 'a layer';
  await using source = await openRequired(store, path, what);
  if (source.size !== size) {
    throw new ArchiveError(label, `has ${source.size} bytes, its descriptor says ${size}`);
  }
  return { path, digest, size, form };
}
