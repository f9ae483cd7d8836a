import { Command } from 'commander';
import { buildCommand } from './image/build';
import { catCommand } from './image/cat';
import { diffCommand } from './image/diff';
import { dumpCommand } from './image/dump';
import { extractCommand } from './image/extract';
import { fsckCommand } from './image/fsck';
import { importCommand } from './image/import';
import { lsCommand } from './image/ls';
import { mountCommand } from './image/mount';
import { umountCommand } from './image/umount';

/** Work on image files, with neither a daemon nor containerd, but for `import`. */
export function imageCommand(): Command {
  return new Command('image')
    .description('EROFS image files: make and mount them, look into them, check and compare them')
    .showHelpAfterError()
    .addCommand(buildCommand())
    .addCommand(mountCommand())
    .addCommand(umountCommand())
    .addCommand(lsCommand())
    .addCommand(catCommand())
    .addCommand(extractCommand())
    .addCommand(dumpCommand())
    .addCommand(fsckCommand())
    .addCommand(diffCommand())
    .addCommand(importCommand());
}
