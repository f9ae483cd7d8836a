import { closeSync, constants, mkdirSync, openSync, readdirSync } from 'node:fs';
import { getSystemErrorMap } from 'node:util';
import type { Command } from 'commander';
import { ErofsError } from '../../../erofs/errors';
import type { Omission } from '../../../erofs/extract/attributes';
import { Extraction } from '../../../erofs/extract/extraction';
import type { ErofsImage } from '../../../erofs/image';
import { errorCode } from '../../../linux/errno';
import { startProgressBar } from '../../progress-bar';
import { CommandError } from '../command-error';
import { printJson } from '../output';
import { complain, imageAction, imageCommandOf, messageOf, openImage, type ImageFlags } from './image-action';
import { visibleName } from './visible-name';

interface ExtractFlags extends ImageFlags {
  readonly json?: true;
}

const FAILURE = 1;

export function extractCommand(): Command {
  return imageCommandOf('extract', FAILURE)
    .description('write the tree of an image to a directory')
    .argument('<image>', 'EROFS image')
    .argument('<dir>', 'directory that is empty, or is made')
    .option('--json', 'print JSON for programs')
    .addHelpText('after', HELP)
    .action((path: string, directory: string, flags: ExtractFlags) =>
      imageAction('extract', FAILURE, async () => {
        await using image = await openImage(path, flags.device);
        using target = new TargetDirectory(directory);
        return await extract(image, target, flags);
      }),
    );
}

const HELP = `
Modes, owners, times, extended attributes, hard links, holes and special files are made as they are in the image; whiteouts
stay what they are. Only root may set owners, make devices and set attributes like trusted.*: without root these are left
out, and set-id bits too. Ctrl-C leaves what has been written so far.

Exit codes: 0 all was extracted (without root: but for what takes root), 1 not all.`;

async function extract(image: ErofsImage, target: TargetDirectory, flags: ExtractFlags): Promise<number> {
  const isRoot = process.geteuid?.() === 0;
  const omitted: Record<Omission, number> = { owner: 0, xattr: 0, device: 0 };
  const problems: string[] = [];
  let entries = 0;
  {
    using bar =
      flags.json === true ? undefined : startProgressBar('Extracting', 'entries', image.superblock.inodes);
    const report = {
      onProblem(path: Buffer, error: unknown): void {
        const problem = new CommandError(`${visibleName(path)}: ${reasonOf(error)}`, { cause: error });
        if (error instanceof CommandError) throw error;
        if (FATAL.has(errorCode(error))) throw problem;
        problems.push(problem.message);
        bar?.clear();
        complain('extract', problem);
      },
      onOmission(_path: Buffer, omission: Omission): void {
        omitted[omission]++;
      },
      onEntry(done: number): void {
        entries = done;
        bar?.update(done);
      },
    };
    await new Extraction(image, report, isRoot).run(target.fd);
  }
  const incomplete = Object.values(omitted).some((count) => count > 0);
  if (flags.json === true) printJson({ entries, problems, omitted });
  else if (incomplete) complain('extract', new CommandError(omissionText(omitted, isRoot)));
  return problems.length > 0 || (isRoot && incomplete) ? FAILURE : 0;
}

/** What no further entry would be spared. */
const FATAL: ReadonlySet<string | undefined> = new Set([
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EMFILE',
  'ENFILE',
  'EIO',
]);

const systemMessages = new Map([...getSystemErrorMap().values()]);

/** What went wrong, without a path: those of the host lead through descriptors and tell a user nothing. */
function reasonOf(error: unknown): string {
  const code = error instanceof ErofsError ? undefined : errorCode(error);
  return (code === undefined ? undefined : systemMessages.get(code)) ?? messageOf(error);
}

function omissionText({ owner, xattr, device }: Record<Omission, number>, isRoot: boolean): string {
  const reason = isRoot ? 'the file system refuses some of it' : 'without root';
  return `${reason}: owners of ${owner} entries, ${xattr} extended attributes and ${device} devices were left out`;
}

/** An empty directory, held open. */
class TargetDirectory implements Disposable {
  readonly fd: number;

  /** Makes the directory where it is missing. Throws CommandError where it holds something. */
  constructor(path: string) {
    try {
      mkdirSync(path, 0o700);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
    this.fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    if (readdirSync(`/proc/self/fd/${this.fd}`).length === 0) return;
    closeSync(this.fd);
    throw new CommandError(`${path}: is not empty`);
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}
