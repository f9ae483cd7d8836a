import { Command, InvalidArgumentError } from 'commander';
import { Decoding } from '../../erofs/image';
import { startProgressBar } from '../progress-bar';
import { visibleText } from '../visible-text';
import { CommandError } from './command-error';
import { ArchiveError } from './estimate/archive-error';
import { estimateJson } from './estimate/estimate-json';
import { estimateText } from './estimate/estimate-text';
import { openImageArgument, readsStandardInput, type OpenOptions } from './estimate/image-argument';
import { readLayers, type OpenImage, type ReadImage } from './estimate/layer-source';
import { parsePlatform, type Platform } from './estimate/oci/platform';
import { KnownErofsImages } from './estimate/opened-erofs-image';
import { estimateSharing } from './estimate/sharing-estimate';
import { exitingWith } from './image/exit-code';
import { messageOf, withUsageFailure } from './image/image-action';
import { print, printJson } from './output';

interface EstimateFlags {
  readonly platform?: Platform;
  readonly trustFingerprints?: true;
  readonly top: number;
  readonly json?: true;
}

const FAILURE = 1;
const USAGE_FAILURE = 2;

export function estimateCommand(): Command {
  return withUsageFailure(new Command('estimate'), USAGE_FAILURE)
    .description('what the containers of some images would share, before any runs')
    .argument('<images...>', 'EROFS images, OCI layouts, archives of images; - reads one from standard input')
    .option('--platform <os/arch>', 'which image of several (default: for this machine)', platform)
    .option('--trust-fingerprints', 'believe the fingerprints of EROFS images instead of computing them')
    .option('--top <n>', 'contents to list, of those that save most', count, 10)
    .option('--json', 'print JSON for programs')
    .addHelpText('after', HELP)
    .action((images: readonly string[], flags: EstimateFlags) => estimateAction(images, flags));
}

const HELP = `
An archive is what "docker save", "ctr images export", skopeo or buildx write: an OCI image layout in a directory or a tar,
plain or compressed with gzip or zstd. Where it holds several images, ARCHIVE#NAME chooses one. Standard input and
compressed archives take their room in TMPDIR meanwhile.

Counted are the pages of all files that overlayfs shows in a container of each image. Layers that images have in common
are one layer on the host, and count once either way.

Exit codes: 0 estimated, 1 an image cannot be read, 2 wrong words on the command line.`;

async function estimateAction(given: readonly string[], flags: EstimateFlags): Promise<void> {
  if (given.filter(readsStandardInput).length > 1) {
    process.stderr.write('ishare: estimate: standard input can be read but once\n');
    process.exitCode = USAGE_FAILURE;
    return;
  }
  await exitingWith(FAILURE, async () => {
    try {
      return await estimate(given, flags);
    } catch (error) {
      const message = error instanceof ArchiveError ? error.message : messageOf(error);
      throw new CommandError(`estimate: ${visibleText(message)}`, { cause: error });
    }
  });
}

async function estimate(given: readonly string[], flags: EstimateFlags): Promise<number> {
  const erofs = { trustFingerprints: flags.trustFingerprints === true, decoding: new Decoding() };
  const options = { platform: flags.platform, erofs, quiet: flags.json === true };
  const images = await readImages(given, options);
  const result = estimateSharing(images);
  if (flags.json === true) printJson(estimateJson(result, images, flags.top));
  else print(estimateText(result, images, flags.top));
  return 0;
}

async function readImages(given: readonly string[], options: OpenOptions): Promise<ReadImage[]> {
  const images: OpenImage[] = [];
  try {
    const known = new KnownErofsImages();
    for (const argument of given) images.push(await openImageArgument(argument, options, known));
    using bar = options.quiet ? undefined : startProgressBar('Reading layers', 'bytes');
    return await readLayers(images, (done, total) => bar?.update(done, total));
  } finally {
    for (const image of images) await image[Symbol.asyncDispose]();
  }
}

function platform(text: string): Platform {
  const parsed = parsePlatform(text);
  if (parsed === undefined) throw new InvalidArgumentError('It has not the form OS/ARCH or OS/ARCH/VARIANT.');
  return parsed;
}

function count(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It is no whole number.');
  return Number(text);
}
