import path from 'node:path';
import { Command } from 'commander';
import { ErofsImage } from '../../../erofs/image';
import { startProgressBar } from '../../progress-bar';
import { CommandError } from '../command-error';
import { formatBytes, print, printJson } from '../output';
import { asCommandError } from './expected-failure';
import { imageAction } from './image-action';
import type { ImportedImage, ImportOrder } from './import-run';
import { SIGNAL_EXIT_CODE, SignalQueue, type EndSignal } from './signal-queue';

interface ImportFlags {
  readonly name: string;
  readonly parent: string;
  readonly namespace: string;
  readonly containerd: string;
  readonly snapshotter: string;
  readonly json?: true;
}

const FAILURE = 1;

export function importCommand(): Command {
  return new Command('import')
    .description('give containerd an image as a layer, a committed snapshot')
    .argument('<image>', 'EROFS image; its fingerprints are verified before any of its files is shared')
    .showHelpAfterError()
    .option('--name <name>', 'of the snapshot (default: sha256: and the digest of the file)', '')
    .option('--parent <name>', 'committed snapshot below it (default: none)', '')
    .option('--namespace <name>', 'namespace of containerd', 'default')
    .option('--containerd <socket>', 'socket of containerd', '/run/containerd/containerd.sock')
    .option('--snapshotter <name>', 'what containerd calls this snapshotter', 'ishare')
    .option('--json', 'print as JSON what was made')
    .addHelpText(
      'after',
      '\nThe snapshot stays until `ctr snapshots --snapshotter ishare remove NAME`.' +
        '\nExit codes: 0 imported, 1 not imported, 128 and a signal where that has ended it.',
    )
    .action((image: string, flags: ImportFlags) =>
      imageAction('import', FAILURE, () => importFile(image, flags)),
    );
}

async function importFile(file: string, flags: ImportFlags): Promise<number> {
  const { name, parent, namespace, snapshotter, json } = flags;
  const place = { address: path.resolve(flags.containerd), namespace, snapshotter };
  await requireLayer(file);
  const result = await untilSignal({ file, place, name, parent });
  if (typeof result === 'string') return SIGNAL_EXIT_CODE[result];
  if (json === true) printJson({ ...result, namespace, snapshotter });
  else print(`${file}: ${formatBytes(result.bytes)}, snapshot ${result.name}`);
  return 0;
}

/** Fails at once where the daemon would refuse it after the copy. */
async function requireLayer(file: string): Promise<void> {
  await using image = await ErofsImage.open(file);
  if (image.missingDevices === 0) return;
  throw new CommandError(
    `${file}: its content lies on ${image.missingDevices} extra devices, which no layer has`,
  );
}

/** What was imported, or the signal that called it off: nothing is left of it then. */
async function untilSignal(order: ImportOrder): Promise<ImportedImage | EndSignal> {
  // Loaded late: the other commands start sooner without gRPC.
  const { importImage } = await import('./import-run.js');
  using signals = new SignalQueue();
  using bar = startProgressBar('Copying', 'bytes');
  const controller = new AbortController();
  let by: EndSignal | undefined;
  void signals.next.then((signal) => {
    by = signal;
    controller.abort(new CommandError(`interrupted by ${signal}`));
    // A second one ends the process at once, where containerd does not answer.
    signals[Symbol.dispose]();
  });
  try {
    return await importImage(order, {
      signal: controller.signal,
      onProgress: (bytes, totalBytes) => bar.update(bytes, totalBytes),
    });
  } catch (error) {
    if (by !== undefined) return by;
    throw asCommandError(error);
  }
}
