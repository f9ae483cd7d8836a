import { lstat } from 'node:fs/promises';
import type { ImageTrust } from '../ishare/image-trust';
import { orGone } from './or-gone';
import type { BuiltImage, LayerImageBuilder, LayerImageProgress } from './image-building';
import type { Paths } from './paths';
import { adoptReadyMadeImage, type ReadyMadeImage } from './ready-made-image';
import type { SnapshotUsage } from './snapshot-info';
import type { MetadataStore } from './store/metadata-store';
import type { Snapshot, SnapshotId } from './store/snapshot-table';
import { adoptUnpackedImage } from './unpacked-image';

/** The image of a snapshot that is being committed, in its place and on disk. */
export interface CommittedImage {
  readonly usage: SnapshotUsage;
  readonly nidLimit: number;
  readonly trust: ImageTrust;
  readonly digestsRoot: string | undefined;
}

/** st_blocks counts in these (bytes). */
const SECTOR = 512;

/** Told of how the making of an image goes on. */
export interface ImageMaking {
  readonly signal: AbortSignal | undefined;
  readonly onStart: () => void;
  readonly onProgress: (progress: LayerImageProgress) => void;
}

/**
 * Makes the image of a snapshot: the one that its layer was unpacked into here, or the ready-made one, where there is one, else
 * one of the files in its upper directory. Rejects as these ways do; what is at the image's and the digests' place then is to be deleted.
 */
export async function makeCommittedImage(
  paths: Paths,
  id: SnapshotId,
  builder: LayerImageBuilder,
  { signal, onStart, onProgress }: ImageMaking,
): Promise<CommittedImage> {
  const unpacked = await adoptUnpackedImage(paths, id);
  if (unpacked !== undefined) return { ...(await describe(paths.image(id), unpacked)), trust: 'computed' };
  const adopted = await adoptReadyMadeImage(paths, id);
  if (adopted !== undefined) return { ...(await describe(paths.image(id), adopted)), trust: 'unverified' };
  const built = await builder.build({
    source: { directory: paths.upper(id), overlay: true },
    target: paths.image(id),
    digests: paths.digests(id),
    ...(signal && { signal }),
    onStart,
    onProgress,
  });
  return { ...(await describe(paths.image(id), built)), trust: 'computed' };
}

/** What the images of a snapshot take on disk: those of a committed one. */
export async function usageOfImages(
  store: MetadataStore,
  paths: Paths,
  { id, usage }: Pick<Snapshot, 'id' | 'usage'>,
): Promise<SnapshotUsage> {
  if (store.mergedImages.find(id) === undefined) return usage;
  const merged = await orGone(lstat(paths.mergedImage(id)), undefined);
  return { ...usage, bytes: usage.bytes + (merged?.blocks ?? 0) * SECTOR };
}

async function describe(
  path: string,
  image: ReadyMadeImage | BuiltImage,
): Promise<Omit<CommittedImage, 'trust'>> {
  const { blocks } = await lstat(path);
  return {
    usage: { bytes: blocks * SECTOR, inodes: image.inodes },
    nidLimit: image.nidLimit,
    digestsRoot: 'digestsRoot' in image ? image.digestsRoot : undefined,
  };
}
