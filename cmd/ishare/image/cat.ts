import type { Command } from 'commander';
import type { ErofsImage } from '../../../erofs/image';
import { isDirectory, isRegularFile } from '../../../erofs/inode';
import { resolvePath } from '../../../erofs/path-resolution';
import { CommandError } from '../command-error';
import { complain, imageAction, imageCommandOf, openImage, type ImageFlags } from './image-action';
import { OutputClosedError, writeOutput } from './standard-output';

/** Bytes that are held at a time. */
const PIECE_BYTES = 1024 * 1024;

const FAILURE = 1;

export function catCommand(): Command {
  return imageCommandOf('cat', FAILURE)
    .description('print files of an image')
    .argument('<image>', 'EROFS image')
    .argument('<path...>', 'files in it; symlinks are followed, inside the image')
    .addHelpText('after', '\nExit codes: 0 all were printed, 1 some could not be.')
    .action((path: string, files: readonly string[], { device }: ImageFlags) =>
      imageAction('cat', FAILURE, async () => {
        await using image = await openImage(path, device);
        let exitCode = 0;
        for (const file of files) {
          try {
            await printFile(image, file);
          } catch (error) {
            if (error instanceof OutputClosedError) throw error;
            complain('cat', error);
            exitCode = FAILURE;
          }
        }
        return exitCode;
      }),
    );
}

async function printFile(image: ErofsImage, file: string): Promise<void> {
  const inode = await resolvePath(image, Buffer.from(file), true);
  if (isDirectory(inode)) throw new CommandError(`${file}: is a directory`);
  if (!isRegularFile(inode)) throw new CommandError(`${file}: is no regular file`);
  for (let offset = 0; offset < inode.size; offset += PIECE_BYTES) {
    await writeOutput(await image.read(inode, offset, PIECE_BYTES));
  }
}
