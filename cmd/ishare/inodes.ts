import { Command, Option } from 'commander';
import { InodeOrder, type InodeState } from '../../proto/admin-messages';
import { inodeShowCommand } from './inode-show';
import { formatBytes, formatTable, print, printJson, type Column } from './output';
import { askDaemon, wholeNumber, withDaemonOptions, type DaemonOptions } from './shared-options';

interface ListOptions extends DaemonOptions {
  readonly domain?: string;
  readonly sort: keyof typeof inodeOrders;
  readonly limit: number;
}

export const inodeOrders = {
  saved: InodeOrder.SAVED,
  cached: InodeOrder.CACHED,
  size: InodeOrder.SIZE,
  images: InodeOrder.IMAGES,
  open: InodeOrder.OPEN,
  fingerprint: InodeOrder.FINGERPRINT,
} as const;

/** An inode of one file alone, whose fingerprint is not believed. */
const OWN = '(own, unverified)';

export const inodeColumns: readonly Column<InodeState>[] = [
  { title: 'FINGERPRINT', value: ({ fingerprint }) => fingerprint || OWN },
  { title: 'DOMAIN', value: ({ domain }) => domain },
  { title: 'SIZE', align: 'right', value: ({ size }) => formatBytes(size) },
  { title: 'IMAGES', align: 'right', value: ({ images }) => String(images) },
  { title: 'OPEN', align: 'right', value: ({ open_files }) => String(open_files) },
  { title: 'CACHED', align: 'right', value: ({ cached_bytes }) => formatBytes(cached_bytes) },
  { title: 'SAVED', align: 'right', value: ({ saved_bytes }) => formatBytes(saved_bytes) },
];

export function inodesCommand(): Command {
  const inodes = new Command('inodes')
    .description('shared inodes: one for each content in a domain')
    .showHelpAfterError();
  inodes.addCommand(
    withDaemonOptions(new Command('ls').description('shared inodes with who uses them'))
      .option('--domain <name>', 'only this domain')
      .addOption(
        new Option('--sort <key>', 'what comes first').choices(Object.keys(inodeOrders)).default('saved'),
      )
      .option('--limit <n>', 'so many at most (0: all)', wholeNumber, 0)
      .action(async (options: ListOptions) => {
        const request = {
          domain: options.domain ?? '',
          order: inodeOrders[options.sort],
          limit: options.limit,
        };
        const response = await askDaemon(options, (daemon) =>
          daemon.call<{ inodes: InodeState[] }>((client, ...rest) => client.ListInodes(request, ...rest)),
        );
        if (options.json) printJson(response.inodes);
        else if (response.inodes.length > 0) print(formatTable(inodeColumns, response.inodes));
        else if (options.domain === undefined)
          print('No shared inodes: no image of a domain is attached. Run a container in one.');
        else print(`No shared inodes: no image of the domain "${options.domain}" is attached.`);
      }),
  );
  return inodes.addCommand(inodeShowCommand());
}
