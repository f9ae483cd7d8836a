import { Command } from 'commander';
import type { DomainState } from '../../proto/admin-messages';
import { domainRotateCommand } from './domain-rotate';
import { domainShowCommand } from './domain-show';
import { formatBytes, formatTable, print, printJson, type Column } from './output';
import { askDaemon, withDaemonOptions, type DaemonOptions } from './shared-options';

/** Of the tables of domains. */
export const domainColumns: readonly Column<DomainState>[] = [
  { title: 'DOMAIN', value: ({ name }) => name },
  { title: 'IMAGES', align: 'right', value: ({ images }) => String(images) },
  { title: 'INODES', align: 'right', value: ({ dedup_inodes }) => String(dedup_inodes) },
  { title: 'CACHED', align: 'right', value: ({ cached_bytes }) => formatBytes(cached_bytes) },
  { title: 'SAVED', align: 'right', value: ({ saved_bytes }) => formatBytes(saved_bytes) },
];

export function domainsCommand(): Command {
  const domains = new Command('domains')
    .description('trust groups: whose images share pages')
    .showHelpAfterError();
  domains.addCommand(
    withDaemonOptions(new Command('ls').description('domains with what they have cached and save')).action(
      async (options: DaemonOptions) => {
        const response = await askDaemon(options, (daemon) =>
          daemon.call<{ domains: DomainState[] }>((client, ...rest) => client.ListDomains({}, ...rest)),
        );
        if (options.json) printJson(response.domains);
        else if (response.domains.length > 0) print(formatTable(domainColumns, response.domains));
        else print('No domains: nothing is shared. Set [domains] in the configuration to share.');
      },
    ),
  );
  return domains.addCommand(domainShowCommand()).addCommand(domainRotateCommand());
}
