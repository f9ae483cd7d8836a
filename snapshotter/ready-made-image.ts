import { link, lstat, open, readdir, writeFile } from 'node:fs/promises';
import { METABOX_NID, toNid } from '../erofs/brands';
import { ErofsError } from '../erofs/errors';
import { INODE_SLOT } from '../erofs/format/inode';
import { ErofsImage } from '../erofs/image';
import { slotOf } from '../ishare/node-numbers';
import { errorCode } from '../linux/errno';
import { withSubject } from '../linux/named-failure';
import { dropCachedPages } from '../linux/page-cache';
import { InvalidArgumentError } from './errors';
import type { Paths } from './paths';
import type { SnapshotId } from './store/snapshot-table';
import { syncDirectory } from './sync-directory';

/** What is known of an image that was not built here. */
export interface ReadyMadeImage {
  /** As the image itself says. */
  readonly inodes: number;
  /** Above every inode id (nid) that the image has room for. */
  readonly nidLimit: number;
}

const PRIVATE_FILE = 0o600;

/** Inodes that lie behind as many have no inode number, and cannot be looked up: see slotOf. */
const NUMBERED_MAX = 2 ** 31;

/**
 * What containerd's unpackers call the snapshots that they unpack layers into: `extract-UNIQUE CHAINID`
 * (core/snapshots, UnpackKeyFormat), behind the namespace and a number that containerd's metadata store adds.
 */
const UNPACKING = /(?:^|\/)extract-\S+ \S+$/;

export function isForUnpacking(key: string): boolean {
  return UNPACKING.test(key);
}

/**
 * Marks the directory of a snapshot as one that takes ready-made images: containerd's erofs differ (2.1) looks for
 * the mark beside the upper directory, and leaves all others to the next differ.
 */
export function acceptReadyMadeImage(paths: Paths, id: SnapshotId): Promise<void> {
  return writeFile(paths.readyMadeMark(id), '', { mode: PRIVATE_FILE });
}

/**
 * Makes the ready-made image beside a snapshot's upper directory, which containers cannot reach, the image of its layer:
 * synced and in its place when this resolves, under its old name too. Undefined where there is none. Throws InvalidArgumentError for what cannot be a
 * layer, and leaves it where it is.
 */
export async function adoptReadyMadeImage(paths: Paths, id: SnapshotId): Promise<ReadyMadeImage | undefined> {
  const file = paths.readyMadeImage(id);
  if (!(await isThere(file))) return undefined;
  if ((await readdir(paths.upper(id))).length > 0) {
    throw new InvalidArgumentError(
      `${file}: beside it there are files of a layer in ${paths.upper(id)}, too`,
    );
  }
  const image = await describe(file);
  await syncAndForget(file);
  // The first name stays until the layer is stored, so that after a crash before that the image is still there.
  await link(file, paths.image(id));
  await syncDirectory(paths.images);
  return image;
}

async function isThere(file: string): Promise<boolean> {
  try {
    if ((await lstat(file)).isFile()) return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
  throw new InvalidArgumentError(`${file}: is no regular file`);
}

async function describe(file: string): Promise<ReadyMadeImage> {
  try {
    await using image = await ErofsImage.open(file);
    const { missingDevices, superblock } = image;
    if (missingDevices > 0) {
      throw new InvalidArgumentError(`${file}: its content lies on ${missingDevices} extra devices`);
    }
    return { inodes: superblock.inodes, nidLimit: await nidLimitOf(image) };
  } catch (error) {
    if (!(error instanceof ErofsError)) throw error;
    throw new InvalidArgumentError(`cannot be a layer: ${error.message}`, { cause: error });
  }
}

/** Inodes lie anywhere behind the start of the metadata, or in the metabox file; those in there have the larger numbers. */
async function nidLimitOf(image: ErofsImage): Promise<number> {
  const { metaboxNid, metaOffset } = image.superblock;
  if (metaboxNid === undefined) return slotLimit(0, image.sources.data.size - metaOffset);
  return slotLimit(METABOX_NID, (await image.inode(metaboxNid)).size);
}

/** Above the slots of all inodes that lie in so many bytes, the first of which is that of `first`. */
function slotLimit(first: number, bytes: number): number {
  const inodes = Math.min(Math.ceil(bytes / INODE_SLOT), NUMBERED_MAX);
  return (slotOf(toNid(first + Math.max(inodes, 1) - 1)) ?? 0) + 1;
}

async function syncAndForget(file: string): Promise<void> {
  await using handle = await open(file, 'r+');
  try {
    await handle.chmod(PRIVATE_FILE);
    await handle.sync();
  } catch (error) {
    throw withSubject(error, file);
  }
  // It is read past the page cache from here on; whoever wrote it has left its pages there.
  dropCachedPages(handle.fd);
}
