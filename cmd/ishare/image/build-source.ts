import { stat } from 'node:fs/promises';
import path from 'node:path';
import { isatty } from 'node:tty';
import type { DirectorySource, ImageSource, TarSource } from '../../../erofs/build';
import { ErofsImage } from '../../../erofs/image';
import { CommandError } from '../command-error';
import { asCommandError } from './expected-failure';

/** What the command line says about the source. */
export interface SourceFlags {
  readonly overlay?: true;
  readonly whiteouts?: 'aufs';
  readonly lower: readonly string[];
}

const STANDARD_INPUT = 0;

/** The source that is meant: `-` is a tar on standard input. Throws CommandError for what cannot be one. */
export async function buildSource(given: string, flags: SourceFlags): Promise<ImageSource> {
  if (given === '-') {
    if (isatty(STANDARD_INPUT))
      throw new CommandError('standard input is a terminal; a tar is expected there');
    return await tarSource('/dev/stdin', flags);
  }
  const source = path.resolve(given);
  let directory: boolean;
  try {
    directory = (await stat(source)).isDirectory();
  } catch (error) {
    throw asCommandError(error);
  }
  return directory ? directorySource(source, flags) : await tarSource(source, flags);
}

function directorySource(directory: string, { overlay, whiteouts, lower }: SourceFlags): DirectorySource {
  if (lower.length > 0) throw new CommandError(`${directory}: --lower is for a tar, and this is a directory`);
  if (overlay === true && whiteouts !== undefined) {
    throw new CommandError('--overlay and --whiteouts: a directory has whiteouts of one kind');
  }
  return { directory, overlay: overlay === true, whiteoutFiles: whiteouts === 'aufs' };
}

async function tarSource(tar: string, { overlay, whiteouts, lower }: SourceFlags): Promise<TarSource> {
  if (overlay === true) throw new CommandError(`${tar}: --overlay is for a directory, and this is none`);
  // A tar has them whether or not somebody says so.
  if (whiteouts !== undefined)
    throw new CommandError(`${tar}: --whiteouts is for a directory, and this is none`);
  const images = lower.map((image) => path.resolve(image));
  for (const image of images) await requireImage(image);
  return { tar, lower: images };
}

/** The writer looks into a lower image only where the tar leaves something out; a wrong one is wrong all the same. */
async function requireImage(image: string): Promise<void> {
  try {
    await using _opened = await ErofsImage.open(image);
  } catch (error) {
    throw asCommandError(error);
  }
}
