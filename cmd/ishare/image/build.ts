import { chmod, stat } from 'node:fs/promises';
import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { BuildResult } from '../../../erofs/build';
import { fingerprintXattr } from '../../../erofs/writer/fingerprint-xattr';
import { errorCode } from '../../../linux/errno';
import { fileCreationMask } from '../../../linux/umask';
import { CommandError } from '../command-error';
import { formatBytes, print, printJson } from '../output';
import { BuildBar } from './build-bar';
import { BuildInterruptedError, runBuild, type BuildOrder } from './build-run';
import { buildSource, type SourceFlags } from './build-source';
import {
  compressionOf,
  parseEncoder,
  parseRule,
  parseSize,
  type CompressionFlags,
} from './compression-flags';
import { asCommandError } from './expected-failure';
import { imageAction, repeated } from './image-action';
import { SIGNAL_EXIT_CODE } from './signal-queue';

interface BuildFlags extends SourceFlags, CompressionFlags {
  readonly xattrInodeDigest?: string;
  readonly threads?: number;
  readonly json?: true;
}

const FAILURE = 1;
/** What programs make new files with, less the umask. */
const NEW_FILE_MODE = 0o666;

export function buildCommand(): Command {
  return new Command('build')
    .description('make an image from a directory, or from a layer in a tar')
    .argument('<src>', 'directory, or tar: plain, gzip or zstd; - reads one from standard input')
    .argument('<image>', 'image to make; one that is there is replaced when the new one is whole')
    .showHelpAfterError()
    .option('--overlay', 'the directory is an upper directory of overlayfs')
    .addOption(
      new Option('--whiteouts <kind>', 'the directory is an unpacked layer with .wh. files').choices([
        'aufs',
      ]),
    )
    .option(
      '--lower <image>',
      'image of a layer below the tar, for parents that it leaves out; repeatable, topmost first',
      repeated,
      [],
    )
    .option('--xattr-inode-digest <name>', 'attribute for fingerprints of files', fingerprintName)
    .option('--compress <encoder>', 'none, lz4, lz4hc[,1-12] or zstd[,1-22]', parseEncoder, 'none')
    .option('--pcluster-size <size>', 'largest compressed piece: 4K to 1M', parseSize, parseSize('64K'))
    .option('--inline-tails', 'keep compressed ends of files behind their inodes (Linux 5.17)', true)
    .option('--no-inline-tails', 'keep them in blocks of their own')
    .option(
      '--compress-rule <pattern=encoder>',
      'compress some files in another way; repeatable, the first that matches counts',
      parseRule,
      [],
    )
    .option('--threads <n>', 'threads that hash and compress (default: one for each CPU)', threadCount)
    .option('--json', 'print as JSON what was made')
    .addHelpText('after', '\nExit codes: 0 made, 1 not made, 128 and a signal where that has ended it.')
    .action((source: string, image: string, flags: BuildFlags) =>
      imageAction('build', FAILURE, () => build(source, path.resolve(image), flags)),
    );
}

async function build(given: string, target: string, flags: BuildFlags): Promise<number> {
  const compression = compressionOf(flags);
  const source = await buildSource(given, flags);
  await requirePlace(target);
  try {
    const { xattrInodeDigest, threads } = flags;
    const order = { source, target, fingerprintXattr: xattrInodeDigest, compression, threads };
    const result = await runWithBar(order, flags);
    // Builders for others' layers keep images to themselves; a file that a user makes is like any other.
    await chmod(target, NEW_FILE_MODE & ~(await fileCreationMask()));
    tell(target, result, flags);
    return 0;
  } catch (error) {
    if (error instanceof BuildInterruptedError) return SIGNAL_EXIT_CODE[error.by];
    throw asCommandError(error);
  }
}

async function runWithBar(order: BuildOrder, { json }: BuildFlags): Promise<BuildResult> {
  using bar = json === true ? undefined : new BuildBar();
  return await runBuild(order, (progress) => bar?.show(progress));
}

/** Fails at once where the image could not be put in its place at the end. */
async function requirePlace(target: string): Promise<void> {
  try {
    const there = await stat(target);
    if (!there.isFile()) throw new CommandError(`${target}: is there, and is no regular file`);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw asCommandError(error);
    await requireDirectory(path.dirname(target));
  }
}

async function requireDirectory(directory: string): Promise<void> {
  try {
    await stat(directory);
  } catch (error) {
    throw asCommandError(error);
  }
}

function tell(image: string, result: BuildResult, { json }: BuildFlags): void {
  const { bytes, inodes, files, contentBytes, compressedFiles, codecs, metadataBytes, uuid } = result;
  if (json === true) {
    printJson({
      image,
      bytes,
      inodes,
      files,
      content_bytes: contentBytes,
      metadata_bytes: metadataBytes,
      compressed_files: compressedFiles,
      // The whole image: small files are compressed in its metadata, too.
      compression_ratio: contentBytes === 0 ? null : Number((bytes / contentBytes).toFixed(4)),
      codecs,
      uuid,
    });
    return;
  }
  const encoded = codecs.length === 0 ? '' : `; ${compressedFiles} compressed with ${codecs.join(' and ')}`;
  const content = `${formatBytes(contentBytes)} of content in ${files} ${files === 1 ? 'file' : 'files'}`;
  print(`${image}: ${formatBytes(bytes)}, ${inodes} inodes, ${content}${encoded}`);
}

function fingerprintName(name: string): string {
  try {
    fingerprintXattr(name);
    return name;
  } catch (error) {
    if (error instanceof RangeError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
}

function threadCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > 1024) {
    throw new InvalidArgumentError('It is no whole number from 1 to 1024.');
  }
  return count;
}
