import type { ArchivedImage, ImageChoice } from './archived-image';
import { isDigest } from './digest';
import { indexSchema, readDocument, type Descriptor } from './documents';
import { readManifest } from './image-manifest';
import { openRequired, type ImageStore } from './image-store';
import { chooseManifest, isImage } from './manifest-choice';
import { chooseByName } from './named-choice';

/** Annotations of descriptors in an index that name an image: containerd's, and that of the specification. */
const NAME_ANNOTATIONS = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'] as const;

export const INDEX_PATH = 'index.json';

/** Finds an image in an image layout (image-layout.md of the OCI image specification, 1.1). Throws ArchiveErrors. */
export async function readLayoutImage(store: ImageStore, choice: ImageChoice): Promise<ArchivedImage> {
  await using source = await openRequired(store, INDEX_PATH, 'the index');
  const { manifests } = await readDocument(source, indexSchema);
  const { name, descriptors } = chooseImage(store.label, (manifests ?? []).filter(isImage), choice.name);
  return await readManifest(store, await chooseManifest(store, descriptors, choice.platform), name);
}

/** What the index has under one name: an image, or its manifests for several platforms. */
interface IndexedImage {
  readonly name: string | undefined;
  readonly descriptors: readonly Descriptor[];
}

function chooseImage(
  archive: string,
  descriptors: readonly Descriptor[],
  wanted: string | undefined,
): IndexedImage {
  if (wanted !== undefined && isDigest(wanted)) {
    const found = descriptors.filter(({ digest }) => digest === wanted);
    if (found.length > 0) return { name: wanted, descriptors: found };
  }
  return chooseByName(archive, groupedByName(descriptors), wanted, {
    names: ({ name, descriptors: [first] }) => [
      ...(first === undefined ? [] : namesOf(first)),
      ...(name === undefined && first !== undefined ? [first.digest] : []),
    ],
    identity: ({ descriptors: manifests }) => manifests.map(({ digest }) => digest).join(),
  });
}

function groupedByName(descriptors: readonly Descriptor[]): IndexedImage[] {
  const groups = new Map<string, Descriptor[]>();
  for (const descriptor of descriptors) {
    // Without a name, only a platform tells that it may be one of several manifests of an image.
    const nameless = (descriptor.platform ?? undefined) === undefined ? descriptor.digest : '';
    const key = namesOf(descriptor)[0] ?? nameless;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [descriptor]);
    else group.push(descriptor);
  }
  return [...groups.values()].map((group) => ({
    name: group[0] === undefined ? undefined : namesOf(group[0])[0],
    descriptors: group,
  }));
}

/** The names of an image, the most telling first. */
function namesOf({ annotations }: Descriptor): string[] {
  return NAME_ANNOTATIONS.map((key) => annotations?.[key]).filter((name) => name !== undefined);
}
