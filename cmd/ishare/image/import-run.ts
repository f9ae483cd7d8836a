import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { errorCode } from '../../../linux/errno';
import type { Mount } from '../../../proto/snapshots';
import { CommandError } from '../command-error';
import { ContainerdSnapshots, type SnapshotsPlace } from './containerd-snapshots';

export interface ImportOrder {
  readonly file: string;
  readonly place: SnapshotsPlace;
  /** Of the committed snapshot: "" stands for `sha256:` and the digest of the file. */
  readonly name: string;
  /** Committed snapshot below it, or "". */
  readonly parent: string;
}

export interface ImportedImage {
  readonly name: string;
  readonly bytes: number;
}

export interface ImportOptions {
  /** Calls the import off until it is committed. */
  readonly signal: AbortSignal;
  readonly onProgress: (bytes: number, totalBytes: number) => void;
}

/** Beside the upper directory of a snapshot: `Paths.readyMadeImage` of the daemon takes it up at Commit. */
const READY_MADE_IMAGE = 'layer.erofs';
/** Name of the upper directory. */
const UPPER_NAME = 'fs';
const UPPER = 'upperdir=';
const COPY_BYTES = 1024 * 1024;

/**
 * Makes an EROFS image a committed snapshot, by way of containerd, so that it knows of it. Nothing stays behind
 * when this rejects.
 */
export async function importImage(order: ImportOrder, options: ImportOptions): Promise<ImportedImage> {
  using snapshots = new ContainerdSnapshots(order.place);
  await refuseTaken(snapshots, order.name);
  const key = `import-${process.pid}-${Date.now()}`;
  const mounts = await snapshots.prepare(key, order.parent);
  let made = key;
  try {
    const target = path.join(snapshotDirectory(mounts, order.place), READY_MADE_IMAGE);
    const { digest, bytes } = await copy(order.file, target, options);
    const name = order.name || `sha256:${digest}`;
    await refuseTaken(snapshots, name);
    options.signal.throwIfAborted();
    await snapshots.commit(key, name);
    made = name;
    await requireTaken(target, order.place);
    return { name, bytes };
  } catch (error) {
    throw await undo(snapshots, made, error);
  }
}

async function refuseTaken(snapshots: ContainerdSnapshots, name: string): Promise<void> {
  if (name !== '' && (await snapshots.has(name))) throw new CommandError(`snapshot ${name} exists already`);
}

/** The directory that belongs to an active snapshot: the parent of what containers write to. */
function snapshotDirectory(mounts: readonly Mount[], { snapshotter }: SnapshotsPlace): string {
  const [mount] = mounts;
  const upper =
    mount?.type === 'bind'
      ? mount.source
      : mount?.options.find((option) => option.startsWith(UPPER))?.slice(UPPER.length);
  if (upper !== undefined && path.basename(upper) === UPPER_NAME) return path.dirname(upper);
  throw notOurs(snapshotter);
}

function notOurs(snapshotter: string): CommandError {
  return new CommandError(
    `snapshotter ${snapshotter} takes no images: it is not ishare-snapshotter (--snapshotter names another one)`,
  );
}

async function copy(
  file: string,
  target: string,
  { signal, onProgress }: ImportOptions,
): Promise<{ readonly digest: string; readonly bytes: number }> {
  await using source = await open(file, 'r');
  await using copied = await open(target, 'wx', 0o600);
  const { size } = await source.stat();
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafeSlow(COPY_BYTES);
  let bytes = 0;
  onProgress(0, size);
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await source.read(piece, 0, COPY_BYTES, bytes);
    if (bytesRead === 0) return { digest: hash.digest('hex'), bytes };
    const part = piece.subarray(0, bytesRead);
    hash.update(part);
    await copied.writeFile(part);
    bytes += bytesRead;
    onProgress(bytes, size);
  }
}

/** Other snapshotters commit the empty directory beside the file, and leave that where it is. */
async function requireTaken(target: string, { snapshotter }: SnapshotsPlace): Promise<void> {
  try {
    await rm(target);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  throw notOurs(snapshotter);
}

/** Removes what was made before `reason`, which it gives back, with what stays behind all the same. */
async function undo(snapshots: ContainerdSnapshots, key: string, reason: unknown): Promise<unknown> {
  try {
    await snapshots.remove(key);
    return reason;
  } catch (error) {
    return new AggregateError([reason, error], `snapshot ${key} stays behind: ${String(error)}`);
  }
}
