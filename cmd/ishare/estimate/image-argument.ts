import { stat } from 'node:fs/promises';
import { errorCode } from '../../../linux/errno';
import { ArchiveError } from './archive-error';
import type { ErofsReading } from './erofs-layer';
import { imageBytes, kindOfSource } from './image-bytes';
import type { OpenImage } from './layer-source';
import { DirectoryStore } from './oci/image-store';
import type { Platform } from './oci/platform';
import { TarStore } from './oci/tar-store';
import { openedArchive } from './opened-archive';
import { openedErofsImage, type KnownErofsImages } from './opened-erofs-image';

/** How images are to be opened. */
export interface OpenOptions {
  /** Undefined: the archive's only one, else this machine's. */
  readonly platform: Platform | undefined;
  readonly erofs: ErofsReading;
  /** Show nothing meanwhile. */
  readonly quiet: boolean;
}

const STANDARD_INPUT = '-';

/** Whether an argument reads standard input. */
export function readsStandardInput(given: string): boolean {
  return given === STANDARD_INPUT || given.startsWith(`${STANDARD_INPUT}#`);
}

/**
 * Opens what an argument names: `PATH`, or `PATH#NAME` with the name of an image in an archive. The path is that of an
 * EROFS image, an image layout or an archive; `-` is standard input. Throws ArchiveErrors, and errors of what is read.
 *
 * @param known images of earlier arguments, to which this one is added.
 */
export async function openImageArgument(
  given: string,
  options: OpenOptions,
  known: KnownErofsImages,
): Promise<OpenImage> {
  const { path, name } = await splitArgument(given);
  const choice = { name, platform: options.platform };
  const input = path === STANDARD_INPUT;
  if (!input && (await stat(path)).isDirectory()) {
    return await openedArchive(given, new DirectoryStore(path), choice, options.erofs);
  }
  const source = await imageBytes(input ? undefined : path, options.quiet);
  try {
    if ((await kindOfSource(source)) === 'tar') {
      return await openedArchive(given, await TarStore.open(source), choice, options.erofs);
    }
    if (name === undefined) return await openedErofsImage(given, source, options.erofs, known);
    throw new ArchiveError(source.label, `an EROFS image is one image, and holds none named ${name}`);
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  }
}

/** A path may have the character in it: what exists is meant as it is. */
async function splitArgument(given: string): Promise<{ path: string; name: string | undefined }> {
  const at = given.lastIndexOf('#');
  if (at <= 0 || (await exists(given))) return { path: given, name: undefined };
  return { path: given.slice(0, at), name: given.slice(at + 1) };
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return false;
    throw error;
  }
}
