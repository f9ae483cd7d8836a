import { open, lstat, link, readFile, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import type { LayerBlob, LayerTar } from '../erofs/build';
import { errorCode } from '../linux/errno';
import { withSubject } from '../linux/named-failure';
import { DataLossError, FailedPreconditionError } from './errors';
import type { BuiltImage, LayerImageBuilder, LayerImageProgress } from './image-building';
import type { Paths } from './paths';
import type { SnapshotId } from './store/snapshot-table';
import { syncDirectory } from './sync-directory';

const PRIVATE_FILE = 0o600;

/** What Commit needs to know of the image: BuiltImage without the tar. */
const recordSchema = z.strictObject({
  bytes: z.int().min(1),
  inodes: z.int().min(1),
  nidLimit: z.int().min(1),
  digestsRoot: z.string().regex(/^[0-9a-f]{64}$/),
});

/** Names below a snapshot's directory that come from unpacking; with a dot in front, and a random end, as long as it goes on. */
const OURS = /^\.?(?:unpacked\.(?:erofs|digests|json)|spool\.tmp-)/;
const UNFINISHED = '.';

export interface UnpackOrder {
  readonly blob: LayerBlob;
  /** Path at which the blob can be read once, from its beginning. */
  readonly path: string;
  /** Images of the layers below, topmost first. */
  readonly lower: readonly string[];
  readonly signal: AbortSignal | undefined;
  readonly onStart: () => void;
  readonly onProgress: (progress: LayerImageProgress) => void;
}

/**
 * Builds the image of a layer straight from its blob, beside the upper directory of the snapshot that it is for. It replaces one
 * that is there. The record comes last and is on disk when this resolves; when it rejects, nothing of either is left.
 *
 * No file of the layer is made on the way: contents go into the image as the blob is read (erofs/writer/image-contents.ts).
 */
export async function unpackImage(
  paths: Paths,
  id: SnapshotId,
  builder: LayerImageBuilder,
  { blob, path, lower, signal, onStart, onProgress }: UnpackOrder,
): Promise<LayerTar> {
  await discardUnpacked(paths, id);
  try {
    const built = await builder.build({
      source: { tar: path, blob, lower },
      target: paths.unpackedImage(id),
      digests: paths.unpackedDigests(id),
      ...(signal && { signal }),
      onStart,
      onProgress,
    });
    signal?.throwIfAborted();
    if (built.tar === undefined) throw new Error(`${blob.digest}: no tar was read`);
    await writeRecord(paths.unpackedRecord(id), built);
    return built.tar;
  } catch (error) {
    await discardUnpacked(paths, id);
    throw error;
  }
}

async function writeRecord(
  path: string,
  { bytes, inodes, nidLimit, digestsRoot }: BuiltImage,
): Promise<void> {
  const temporary = join(dirname(path), '.unpacked.json');
  try {
    await using handle = await open(temporary, 'w', PRIVATE_FILE);
    await handle.writeFile(JSON.stringify({ bytes, inodes, nidLimit, digestsRoot }));
    await handle.sync();
  } catch (error) {
    throw withSubject(error, temporary);
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/**
 * Makes the unpacked image of a snapshot the image of its layer: in its place when this resolves, with its digests, and under
 * its old name too, until the snapshot's directory goes. Undefined where there is none. Throws FailedPreconditionError where
 * there is something in the upper directory as well: nobody can say which of the two is the layer.
 */
export async function adoptUnpackedImage(paths: Paths, id: SnapshotId): Promise<BuiltImage | undefined> {
  const record = await readRecord(paths.unpackedRecord(id));
  if (record === undefined) return undefined;
  const image = paths.unpackedImage(id);
  if ((await readdir(paths.upper(id))).length > 0) {
    throw new FailedPreconditionError(
      `${paths.upper(id)}: files were written there after the layer had been unpacked into ${image}`,
    );
  }
  const { size } = await lstat(image);
  if (size !== record.bytes) throw new DataLossError(`${image}: ${size} bytes, built with ${record.bytes}`);
  await link(paths.unpackedDigests(id), paths.digests(id));
  await link(image, paths.image(id));
  await syncDirectory(paths.images);
  return record;
}

async function readRecord(path: string): Promise<BuiltImage | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new DataLossError(`${path}: says nothing of an unpacked image`, { cause: error });
  }
}

/** Removes what was unpacked into the directory of a snapshot, and what a crash left of it. */
export async function discardUnpacked(paths: Paths, id: SnapshotId): Promise<void> {
  // The record first: without it the others count for nothing.
  await rm(paths.unpackedRecord(id), { force: true });
  await removeNames(paths.snapshot(id), (name) => OURS.test(name));
}

/** Removes what a crash left in the directory of a snapshot; an image that is whole stays. */
export async function discardUnfinishedUnpack(paths: Paths, id: SnapshotId): Promise<void> {
  const whole = (await readRecord(paths.unpackedRecord(id))) !== undefined;
  await removeNames(paths.snapshot(id), (name) => OURS.test(name) && (!whole || name.startsWith(UNFINISHED)));
}

async function removeNames(directory: string, isMeant: (name: string) => boolean): Promise<void> {
  for (const name of await readdir(directory)) {
    if (isMeant(name)) await rm(join(directory, name), { force: true });
  }
}
