import { Command } from 'commander';
import type { DropCacheRequest, DropCacheResponse } from '../../proto/admin-messages';
import { cacheWarmCommand } from './cache-warm';
import { CommandError } from './command-error';
import { formatBytes, print, printJson } from './output';
import { askDaemon, withDaemonOptions, type DaemonOptions } from './shared-options';

interface DropOptions extends DaemonOptions, DropCacheRequest {}

export function cacheCommand(): Command {
  return new Command('cache')
    .description('pages of shared inodes')
    .showHelpAfterError()
    .addCommand(cacheDropCommand())
    .addCommand(cacheWarmCommand());
}

function cacheDropCommand(): Command {
  return withDaemonOptions(new Command('drop').description('drop clean pages that nobody has mapped'))
    .option('--domain <name>', 'of all contents in a domain')
    .option('--image <name>', 'of an image with those below it, also where others hold the same content')
    .option('--inode <fingerprint>', 'of one content, in all domains')
    .option('--all', 'of every shared inode')
    .action(async (options: DropOptions) => {
      const request = requestOf(options);
      const answer = await askDaemon(options, (daemon) =>
        daemon.call<DropCacheResponse>((client, ...rest) => client.DropCache(request, ...rest)),
      );
      if (options.json) printJson(answer);
      else print(describe(answer));
    });
}

function requestOf({ domain, image, inode, all }: DropOptions): DropCacheRequest {
  const given = Object.entries({ domain, image, inode, all }).filter(([, value]) => value !== undefined);
  if (given.length === 1) return Object.fromEntries(given);
  throw new CommandError('drop takes one of --domain, --image, --inode and --all');
}

function describe({ inodes, dropped_bytes: dropped, kept_bytes: kept }: DropCacheResponse): string {
  const stay = kept === 0 ? '' : `; ${formatBytes(kept)} stay, because they are mapped or in use`;
  return `Dropped ${formatBytes(dropped)} of ${inodes} ${inodes === 1 ? 'inode' : 'inodes'}${stay}.`;
}
