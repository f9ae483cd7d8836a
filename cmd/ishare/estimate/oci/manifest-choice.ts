import { ArchiveError } from '../archive-error';
import { blobPath } from './digest';
import { indexSchema, readDocument, type Descriptor } from './documents';
import { configuredPlatform } from './image-manifest';
import { openRequired, type ImageStore } from './image-store';
import { manifestForm } from './media-type';
import { hostPlatform, isFor, platformText, type Platform } from './platform';

/** Indexes that lie in each other, and manifests of one image: more are a trap. */
const DEPTH_MAX = 8;
const MANIFESTS_MAX = 1000;

/** Annotation of manifests that are no images but say something about one (BuildKit's attestations). */
const REFERENCE_TYPE = 'vnd.docker.reference.type';

export function isImage({ annotations, platform }: Descriptor): boolean {
  return annotations?.[REFERENCE_TYPE] === undefined && platform?.os !== 'unknown';
}

/**
 * The manifest for a platform, of those that descriptors lead to. Throws ArchiveError telling the platforms where it is
 * not exactly one.
 *
 * @param platform undefined: the only one, or this machine's.
 */
export async function chooseManifest(
  store: ImageStore,
  descriptors: readonly Descriptor[],
  platform: Platform | undefined,
): Promise<Descriptor> {
  const manifests = await manifestsBelow(store, descriptors);
  const [only] = manifests;
  if (only === undefined) throw new ArchiveError(store.label, 'holds no image');
  if (manifests.length === 1 && platform === undefined) return only;
  const wanted = platform ?? hostPlatform;
  const offered: { readonly manifest: Descriptor; readonly platform: Platform }[] = [];
  for (const manifest of manifests) {
    offered.push({ manifest, platform: manifest.platform ?? (await configuredPlatform(store, manifest)) });
  }
  const [found, ...others] = offered.filter(({ platform: each }) => isFor(each, wanted));
  const known = [...new Set(offered.map(({ platform: each }) => platformText(each)))].join(', ');
  if (found === undefined) {
    throw new ArchiveError(store.label, `holds no image for ${platformText(wanted)}, but for ${known}`);
  }
  if (others.length > 0) {
    const problem = `holds several images for ${platformText(wanted)}; choose with --platform: ${known}`;
    throw new ArchiveError(store.label, problem);
  }
  return found.manifest;
}

/** All manifests that descriptors lead to, through indexes, each once. */
async function manifestsBelow(store: ImageStore, descriptors: readonly Descriptor[]): Promise<Descriptor[]> {
  const manifests = new Map<string, Descriptor>();
  let level = descriptors;
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEPTH_MAX || level.length + manifests.size > MANIFESTS_MAX) {
      throw new ArchiveError(store.label, 'its indexes lead to too many manifests');
    }
    const below: Descriptor[] = [];
    for (const descriptor of level) {
      if (leadsToIndex(store, descriptor)) below.push(...(await descriptorsIn(store, descriptor)));
      else manifests.set(descriptor.digest, descriptor);
    }
    level = below;
  }
  return [...manifests.values()];
}

function leadsToIndex(store: ImageStore, { mediaType, digest }: Descriptor): boolean {
  const form = manifestForm(mediaType);
  if (form !== 'unknown') return form === 'index';
  const problem = `a manifest of the media type ${mediaType}, which is not known here`;
  throw new ArchiveError(`${store.label}, ${blobPath(digest)}`, problem);
}

async function descriptorsIn(store: ImageStore, { digest }: Descriptor): Promise<Descriptor[]> {
  await using source = await openRequired(store, blobPath(digest), 'the index');
  const { manifests } = await readDocument(source, indexSchema, digest);
  return (manifests ?? []).filter(isImage);
}
