import { Command } from 'commander';
import type { ContainerState, DomainDetails } from '../../proto/admin-messages';
import { visibleText } from '../visible-text';
import { formatBytes, formatFacts, formatTable, print, printJson, type Column } from './output';
import { askDaemon, withDaemonOptions, type DaemonOptions } from './shared-options';

interface ShowOptions extends DaemonOptions {
  readonly showSecretId?: true;
}

/** Of the tables of containers. */
export const containerColumns: readonly Column<ContainerState>[] = [
  { title: 'CONTAINER', value: ({ key }) => key },
  {
    title: 'DOMAIN',
    value: ({ domain, earlier_id }) => `${domain || '(no domain)'}${earlier_id ? ' (earlier id)' : ''}`,
  },
  { title: 'RULE', value: ({ rule }) => rule || '-' },
  { title: 'IMAGES', align: 'right', value: ({ images }) => String(images) },
  { title: 'CACHED', align: 'right', value: ({ cached_bytes }) => formatBytes(cached_bytes) },
  { title: 'SAVED', align: 'right', value: ({ saved_bytes }) => formatBytes(saved_bytes) },
];

export function domainShowCommand(): Command {
  return withDaemonOptions(new Command('show').description('one domain: its images, its containers and why'))
    .argument('<name>', 'the domain')
    .option('--show-secret-id', 'show the secret id too; the log of the daemon tells that it was shown')
    .action(async (name: string, options: ShowOptions) => {
      const request = { name, with_secret_id: options.showSecretId === true };
      const details = await askDaemon(options, (daemon) =>
        daemon.call<DomainDetails>((client, ...rest) => client.ShowDomain(request, ...rest)),
      );
      // Not even an empty field, so that nobody takes it for the id.
      const { secret_id: secret, ...others } = details;
      if (options.json) printJson(secret === '' ? others : details);
      else print(describe(details));
    });
}

function describe({ domain, token, secret_id: secret, images, containers }: DomainDetails): string {
  const facts = formatFacts([
    ['domain', domain.name],
    ['token', token === '' ? '(none yet: nothing was in it)' : token],
    ...(secret === '' ? [] : ([['secret id', secret]] as const)),
    ['images', `${domain.images} attached`],
    ['inodes', String(domain.dedup_inodes)],
    ['page cache', `${formatBytes(domain.cached_bytes)} shared, saves ${formatBytes(domain.saved_bytes)}`],
  ]);
  const listed = images.map((image) => `  ${visibleText(image)}`);
  const table = containers.length === 0 ? 'No containers.' : formatTable(containerColumns, containers);
  return [facts, ...listed, '', table].join('\n');
}
