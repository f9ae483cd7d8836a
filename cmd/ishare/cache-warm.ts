import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { errorCode } from '../../linux/errno';
import type { SkippedFile, WarmCacheResponse } from '../../proto/admin-messages';
import { startProgressBar } from '../progress-bar';
import { visibleText } from '../visible-text';
import { CommandError } from './command-error';
import { formatBytes, print, printJson } from './output';
import { askDaemon, withDaemonOptions, type DaemonOptions } from './shared-options';

interface WarmOptions extends DaemonOptions {
  readonly files?: string;
  readonly domain?: string;
}

export function cacheWarmCommand(): Command {
  return withDaemonOptions(
    new Command('warm').description(
      'read the shared files of an image and those below it into the page cache',
    ),
  )
    .argument('<image>', 'as `ishare images ls` names it, or the end of its name behind the last "/"')
    .option(
      '--files <list>',
      'only these: a file with one path in the image on each line; - is standard input',
    )
    .option('--domain <name>', 'where the image is attached in several')
    .addHelpText('after', HELP)
    .action(warm);
}

const HELP = `
The daemon reads, so that the pages are charged to its control group, and not to that of the first container that needs
them. The image must be attached in a domain: some container or snapshot stands on it. Ctrl-C ends it.

Exit codes: 0 all is read, 1 something is not.`;

async function warm(image: string, options: WarmOptions): Promise<void> {
  const files = options.files === undefined ? [] : await pathsIn(options.files);
  const request = { image, files, domain: options.domain ?? '' };
  const skipped: SkippedFile[] = [];
  let last: WarmCacheResponse | undefined;
  await askDaemon(options, async (daemon) => {
    using bar = options.json === true ? undefined : startProgressBar('Reading', 'bytes');
    await daemon.stream<WarmCacheResponse>(
      (client) => client.WarmCache(request),
      (answer) => {
        last = answer;
        skipped.push(...answer.skipped);
        bar?.update(answer.bytes_done, answer.bytes);
      },
    );
  });
  if (last === undefined) throw new CommandError('the daemon sent an empty answer');
  if (options.json === true) printJson({ ...last, skipped });
  else print(describe({ ...last, skipped }));
  if (skipped.length > 0) process.exitCode = 1;
}

async function pathsIn(list: string): Promise<string[]> {
  const content = list === '-' ? await text(process.stdin) : await readList(list);
  const paths = content.split('\n').filter((line) => line !== '');
  if (paths.length === 0) throw new CommandError(`${visibleText(list)}: there are no paths in it`);
  return paths;
}

async function readList(list: string): Promise<string> {
  try {
    return await readFile(list, 'utf8');
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new CommandError(`${visibleText(list)}: the list cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function describe({ files, cached_bytes: cached, skipped }: WarmCacheResponse): string {
  const lines = skipped.map(({ path, reason }) => `Not read: ${visibleText(path)}: ${visibleText(reason)}`);
  lines.push(
    `${files} shared ${files === 1 ? 'file' : 'files'} read, ${formatBytes(cached)} are in the page cache.`,
  );
  return lines.join('\n');
}
