import { Command } from 'commander';
import type { VerifiedImage, VerifyImagesResponse } from '../../proto/admin-messages';
import { startProgressBar } from '../progress-bar';
import { visibleText } from '../visible-text';
import { CommandError } from './command-error';
import { print, printJson } from './output';
import { askDaemon, withDaemonOptions, type DaemonOptions } from './shared-options';

interface VerifyOptions extends DaemonOptions {
  readonly all?: true;
}

export function imagesVerifyCommand(): Command {
  return withDaemonOptions(
    new Command('verify').description(
      'check the files of images against what was recorded when they were built',
    ),
  )
    .argument(
      '[names...]',
      'images, as `ishare images ls` names them, or the end of a name behind its last "/"',
    )
    .option('--all', 'every image')
    .addHelpText('after', HELP)
    .action(verify);
}

const HELP = `
The daemon does it, with little claim to the CPU, one image after the other. An image without recorded digests is decoded
whole, and its fingerprints are computed. A damaged image is marked, and the mark goes when it is found right again.

Exit codes: 0 all are sound, 1 one is not, or could not be checked.`;

async function verify(names: readonly string[], options: VerifyOptions): Promise<void> {
  const all = options.all === true;
  if (all === names.length > 0) throw new CommandError('verify takes either names of images or --all');
  const results: VerifiedImage[] = [];
  await askDaemon(options, async (daemon) => {
    using bar = options.json === true ? undefined : startProgressBar('Verifying', 'bytes');
    await daemon.stream<VerifyImagesResponse>(
      (client) => client.VerifyImages({ names: [...names], all }),
      ({ progress, result }) => {
        if (progress) bar?.update(progress.bytes_done, progress.bytes);
        if (!result) return;
        results.push(result);
        bar?.clear();
        if (options.json !== true) print(describe(result));
      },
    );
  });
  if (options.json === true) printJson(results);
  else if (results.length === 0)
    print('No images: containerd has not unpacked any through this snapshotter.');
  if (results.some(({ outcome }) => outcome !== 'sound')) process.exitCode = 1;
}

function describe({ name, outcome, problems, problem_count: count, method }: VerifiedImage): string {
  const how = method === 'digests' ? 'as it was built' : 'decoded whole';
  const head = `${visibleText(name)}: ${outcome}${outcome === 'sound' ? ` (${how})` : ''}`;
  const more = count > problems.length ? [`  and ${count - problems.length} more`] : [];
  return [head, ...problems.map((problem) => `  ${visibleText(problem)}`), ...more].join('\n');
}
