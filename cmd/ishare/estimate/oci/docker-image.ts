import { ArchiveError } from '../archive-error';
import type { ArchivedImage, ArchivedLayer, ImageChoice } from './archived-image';
import { layerIds, platformOf, readConfiguration } from './configuration';
import { promisedDigest } from './digest';
import { dockerManifestSchema, readDocument } from './documents';
import { openRequired, type ImageStore } from './image-store';
import { chooseByName } from './named-choice';
import { isFor, platformText } from './platform';

export const DOCKER_MANIFEST_PATH = 'manifest.json';

/** Finds an image in what `docker save` wrote before version 25, when it became an image layout. Throws ArchiveErrors. */
export async function readDockerImage(store: ImageStore, choice: ImageChoice): Promise<ArchivedImage> {
  await using source = await openRequired(store, DOCKER_MANIFEST_PATH, 'the list of images');
  const images = await readDocument(source, dockerManifestSchema);
  const { Config, RepoTags, Layers } = chooseByName(store.label, images, choice.name, {
    names: (image) => [...(image.RepoTags ?? []), image.Config.replace(/\.json$/, '')],
    identity: (image) => image.Config,
  });
  const configuration = await readConfiguration(store, Config, promisedDigest(Config));
  const platform = platformOf(configuration);
  if (choice.platform !== undefined && (platform === undefined || !isFor(platform, choice.platform))) {
    const found = platform === undefined ? 'an unknown platform' : platformText(platform);
    throw new ArchiveError(store.label, `the image is for ${found}, not ${platformText(choice.platform)}`);
  }
  const paths = Layers ?? [];
  const layers: ArchivedLayer[] = [];
  for (const [index, id] of layerIds(store, configuration, paths.length).entries()) {
    const path = paths[index] ?? '';
    await using blob = await openRequired(store, path, 'a layer');
    layers.push({ path, digest: promisedDigest(path), size: blob.size, form: 'tar', ...id });
  }
  return { name: RepoTags?.[0], platform, layers };
}
