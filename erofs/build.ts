import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { naming, withSubject } from '../linux/named-failure';
import { dropCachedPages } from '../linux/page-cache';
import { digestTableRoot, makeDigestTable, writeDigestTable } from './digests/table-writer';
import { FINGERPRINT_DEFAULT_NAME } from './format/xattr';
import { formatUuid } from './uuid';
import { CompressionChoice } from './writer/compression-choice';
import type { CompressionOptions } from './writer/compression-options';
import { codecsOf } from './writer/encoder-settings';
import { readDirectoryTree, type DirectorySource } from './writer/from-directory';
import { readLayersTree, type LayersSource } from './writer/from-layers';
import { BLOCK_SIZE } from './writer/geometry';
import { HostDirectories } from './writer/host-directories';
import { writeImageTo, type TreeReading, type WrittenImage } from './writer/image-writer';
import { Pace } from './writer/pace';
import type { BuildProgress } from './writer/progress';
import { Spool } from './writer/spool';
import { readTarTree, type TarReading, type TarSource } from './writer/tar/from-tar';
import type { LayerTar } from './writer/tar/layer-blob';
import type { DirectoryNode } from './writer/tree';

export type { BuildProgress } from './writer/progress';
export type {
  CompressionOptions,
  CompressionRule,
  Encoder,
  EncoderSettings,
} from './writer/compression-options';
export type { DirectorySource } from './writer/from-directory';
export type { LayerImage, LayersSource } from './writer/from-layers';
export type { TarSource } from './writer/tar/from-tar';
export type { LayerBlob, LayerTar } from './writer/tar/layer-blob';

/** How an image is to be made, from wherever. */
export interface ImageOptions {
  /** Absolute path of the image. What is there already is replaced in one step. */
  readonly target: string;
  /** Full name of the fingerprint attribute; the default is that of mkfs.erofs and cannot be seen through the VFS. */
  readonly fingerprintXattr?: string | undefined;
  /** How files are compressed; not at all where it is left out. */
  readonly compression?: CompressionOptions | undefined;
  /** Threads that hash and compress; as many as the machine has CPUs where it is left out. The image is the same. */
  readonly threads?: number | undefined;
  /** Name for the unfinished image, see `temporaryImageName`. */
  readonly temporary?: string | undefined;
  /**
   * Absolute path of a digest table of the image (format/digest-table.ts). It is there, whole and synced, before the image
   * is. None is made where it is left out.
   */
  readonly digests?: string | undefined;
  /** Name for the unfinished table, beside it; like `temporary`. */
  readonly digestsTemporary?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called now and then, and at the end of the data. */
  readonly onProgress?: ((progress: BuildProgress) => void) | undefined;
}

export interface BuildOptions extends ImageOptions {
  readonly source: ImageSource;
}

/** What an image is made of. */
export type ImageSource = DirectorySource | TarSource | LayersSource;

export interface BuildResult {
  /** Length of the image. */
  readonly bytes: number;
  readonly inodes: number;
  /** Regular files among them, each counted once. */
  readonly files: number;
  /** Bytes in those files. */
  readonly contentBytes: number;
  /** Regular files that are stored compressed. */
  readonly compressedFiles: number;
  /** What compressed them, with versions, such as `liblz4 1.9.4`: what the bytes of the image depend on. */
  readonly codecs: readonly string[];
  /** Bytes at the end of the image that hold everything but file blocks and the superblock. */
  readonly metadataBytes: number;
  /** One past the largest nid: how many inode numbers the image needs when nids are used for them. */
  readonly nidLimit: number;
  /** SHA-256 of the digest table, lower-case hexadecimal; undefined where none was asked for. */
  readonly digestsRoot?: string | undefined;
  /** Lower case, with hyphens. It depends on the tree alone, contents included. */
  readonly uuid: string;
  /** What was in the blob, where the source was one. */
  readonly tar?: LayerTar | undefined;
}

/**
 * Builds an EROFS image of a directory or a tar, or of the merged metadata of layers. The target appears whole and synced, or not at all: it is written
 * under a temporary name beside it, and renamed. Its pages do not stay in the page cache.
 *
 * File system calls are synchronous: run this in a worker thread (`ImageBuilder`) wherever something else must not
 * wait. Throws ImageBuildError kinds for what is wrong with the source (and what `readTarTree` throws), the signal's
 * reason when aborted, and errors of system calls as they come.
 */
export async function buildImage(options: BuildOptions): Promise<BuildResult> {
  const { source, signal, onProgress } = options;
  const pace = new Pace(signal);
  signal?.throwIfAborted();
  if ('tar' in source) {
    const onRead = readingProgress(source, onProgress);
    let tar: LayerTar | undefined;
    const reading: TarReading = { pace, signal, onRead, onTar: (found) => (tar = found) };
    if (source.blob !== undefined) {
      const result = await buildImageFrom((intake) => readTarTree(source, intake, reading), options);
      return tar === undefined ? result : { ...result, tar };
    }
    // The order of contents is that of the tree, as of a directory's, so they must wait until it is known.
    using spool = new Spool(dirname(options.target));
    return await buildImageOfTree(await readTarTree(source, spool, reading), options);
  }
  if ('layers' in source) {
    // It holds no contents that could be compressed.
    return await buildImageOfTree(await readLayersTree(source, pace), { ...options, compression: undefined });
  }
  using directories = new HostDirectories();
  const root = await readDirectoryTree(source, directories, pace);
  return await buildImageOfTree(root, options);
}

/** Builds an EROFS image of a tree that is in memory; its contents are read once. Otherwise like `buildImage`. */
export function buildImageOfTree(root: DirectoryNode, options: ImageOptions): Promise<BuildResult> {
  return buildImageFrom(() => Promise.resolve(root), options);
}

async function buildImageFrom(readTree: TreeReading, options: ImageOptions): Promise<BuildResult> {
  options.signal?.throwIfAborted();
  const choice = new CompressionChoice(options.compression);
  const { digests } = options;
  const directory = dirname(options.target);
  const temporary = join(directory, options.temporary ?? temporaryImageName(options.target));
  const unfinished = [temporary];
  let written: WrittenImage;
  let table: Buffer | undefined;
  try {
    ({ written, table } = await writeImage(temporary, directory, readTree, choice, options));
    if (table !== undefined && digests !== undefined) {
      placeTable(table, digests, options.digestsTemporary ?? temporaryImageName(digests), unfinished);
    }
    renameSync(temporary, options.target);
  } catch (error) {
    for (const path of unfinished) removeUnfinished(path, error);
    throw error;
  }
  syncDirectory(directory);
  const { plan, layout, uuid } = written;
  const files = plan.inodes.filter(({ regularFile }) => regularFile);
  return {
    bytes: layout.blocks * BLOCK_SIZE,
    inodes: plan.inodes.length,
    files: files.length,
    contentBytes: files.reduce((total, { size }) => total + size, 0),
    compressedFiles: files.filter(({ content }) => content?.algorithm !== undefined).length,
    codecs: codecsOf(choice.settings),
    metadataBytes: (layout.blocks - layout.sharedBlock) * BLOCK_SIZE,
    nidLimit: layout.nidLimit,
    digestsRoot: table === undefined ? undefined : digestTableRoot(table),
    uuid: formatUuid(uuid),
  };
}

/** Progress of reading a tar, by its length where it has one. */
function readingProgress(
  { tar, blob }: TarSource,
  onProgress: ImageOptions['onProgress'],
): TarReading['onRead'] {
  if (onProgress === undefined) return undefined;
  const stats = blob === undefined ? statSync(tar, { throwIfNoEntry: false }) : undefined;
  const totalBytes = blob?.size ?? (stats?.isFile() === true ? stats.size : 0);
  return (bytes) => onProgress({ stage: 'reading', inodes: 0, totalInodes: 0, bytes, totalBytes });
}

/** A name for an unfinished image, in the directory where `target` will be. */
export function temporaryImageName(target: string): string {
  return `.${basename(target)}.tmp-${randomBytes(8).toString('hex')}`;
}

/** Whether a directory entry is an unfinished image. One that no running build owns was left by a crash. */
export function isTemporaryImageName(name: string): boolean {
  return /^\..+\.tmp-[0-9a-f]{16}$/.test(name);
}

/** Writes a digest table to where it belongs, and syncs it. `unfinished` gets the paths that a failure must remove. */
function placeTable(table: Buffer, path: string, temporaryName: string, unfinished: string[]): void {
  const temporary = join(dirname(path), temporaryName);
  unfinished.push(temporary);
  naming(temporary, () => writeDigestTable(temporary, table));
  renameSync(temporary, path);
  unfinished.push(path);
  syncDirectory(dirname(path));
}

function removeUnfinished(temporary: string, reason: unknown): void {
  try {
    rmSync(temporary, { force: true });
  } catch (error) {
    throw new AggregateError(
      [reason, error],
      `${temporary}: the build failed, and what is unfinished stays`,
      { cause: error },
    );
  }
}

async function writeImage(
  path: string,
  directory: string,
  readTree: TreeReading,
  choice: CompressionChoice,
  options: ImageOptions,
): Promise<{ written: WrittenImage; table: Buffer | undefined }> {
  const fd = openSync(path, 'wx+', 0o600);
  try {
    const { signal } = options;
    const pace = new Pace(signal);
    const written = await writeImageTo(fd, {
      readTree,
      choice,
      fingerprintName: options.fingerprintXattr ?? FINGERPRINT_DEFAULT_NAME,
      threads: options.threads ?? availableParallelism(),
      spoolDirectory: directory,
      pace,
      onProgress: options.onProgress,
    });
    const table = options.digests === undefined ? undefined : await makeDigestTable(fd, pace);
    signal?.throwIfAborted();
    fsyncSync(fd);
    dropCachedPages(fd);
    return { written, table };
  } catch (error) {
    throw withSubject(error, path);
  } finally {
    closeSync(fd);
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    naming(path, () => fsyncSync(fd));
  } finally {
    closeSync(fd);
  }
}
