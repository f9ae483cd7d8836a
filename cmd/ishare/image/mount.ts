import { Command } from 'commander';
import { lowerHelperThreads } from '../../../linux/helper-threads';
import { readMountTable } from '../../../linux/mount-table';
import { topmostMount } from '../../../linux/topmost-mount';
import { IMAGE_MOUNT_TYPE } from '../../../ishare/image-mount';
import { CommandError } from '../command-error';
import { print, printJson } from '../output';
import { mountInBackground } from './background-mount';
import { MOUNT_FAILURE } from './exit-code';
import { complain, imageAction, withDeviceOption, type ImageFlags } from './image-action';
import { mountOrder, reportOf, type MountOrder, type MountReport } from './mount-order';
import { serveMount } from './serve-mount';

interface MountFlags extends ImageFlags {
  readonly detach?: true;
  readonly allowOther: boolean;
  readonly json?: true;
}

export function mountCommand(): Command {
  return withDeviceOption(new Command('mount'))
    .description('mount an image read-only on a directory, through FUSE')
    .argument('<image>', 'EROFS image')
    .argument('<dir>', 'directory to mount it on')
    .option('--detach', 'return once the mount answers; it is served in the background')
    .option('--allow-other', 'let everybody in, as far as modes allow', true)
    .option('--no-allow-other', 'let only root in')
    .option('--json', 'print as JSON what was mounted')
    .addHelpText('after', HELP)
    .action((image: string, directory: string, flags: MountFlags) =>
      imageAction('mount', MOUNT_FAILURE, () => mount(image, directory, flags)),
    );
}

const HELP = `
Without --detach it serves until the directory is unmounted, by anybody. Ctrl-C unmounts; where the mount is in use,
a second Ctrl-C takes it out of the tree, and whoever uses it is served until done, or until a third. SIGTERM and
SIGHUP take it out of the tree at once.

Exit codes: 0 unmounted in order (--detach: mounted), 1 wrong usage or an end with files in use, 32 cannot mount.`;

async function mount(image: string, directory: string, flags: MountFlags): Promise<number> {
  lowerHelperThreads();
  const order = await mountOrder(image, directory, { devices: flags.device, allowOther: flags.allowOther });
  await refuseTwice(order);
  if (flags.detach === true) {
    const report = await mountInBackground(order);
    if (flags.json === true) printReport(report);
    return 0;
  }
  // A terminal that is closed takes nothing any more, and what is served is served on.
  process.stderr.on('error', () => undefined);
  return serveMount(order, {
    mounted: (mounted) => {
      announce(reportOf(order, mounted.device, process.pid), flags);
      return Promise.resolve();
    },
    say: (text) => complain('mount', new CommandError(text)),
  });
}

function announce(report: MountReport, { json }: MountFlags): void {
  if (json === true) printReport(report);
  else print(`${report.image} is mounted on ${report.directory}. Ctrl-C unmounts it.`);
}

function printReport({ allowOther, ...rest }: MountReport): void {
  printJson({ ...rest, allow_other: allowOther });
}

/** Another image may be mounted over a mount, as mount(8) allows; the same one would be a mistake. */
async function refuseTwice({ image, directory }: MountOrder): Promise<void> {
  const there = topmostMount(await readMountTable(), directory);
  if (there?.type === IMAGE_MOUNT_TYPE && there.source === image)
    throw new CommandError(`${directory}: ${image} is already mounted here`);
}
