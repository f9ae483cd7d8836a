import { Command } from 'commander';
import type { ExplainedFile, ExplainedLayer, Explanation } from '../../proto/admin-messages';
import { visibleText } from '../visible-text';
import { inodeText } from './inode-text';
import { formatBytes, formatFacts, formatTable, print, printJson, type Column } from './output';
import { askDaemon, withDaemonOptions, type DaemonOptions } from './shared-options';

export function explainCommand(): Command {
  return withDaemonOptions(new Command('explain').description('why a file is shared, or not'))
    .argument('<snapshot>', 'of a container, as `ctr snapshots ls` shows it, or committed')
    .argument('[path]', 'a file as the container sees it; links are followed')
    .action(async (snapshot: string, path: string | undefined, options: DaemonOptions) => {
      const explanation = await askDaemon(options, (daemon) =>
        daemon.call<Explanation>((client, ...rest) =>
          client.Explain({ snapshot, path: path ?? '' }, ...rest),
        ),
      );
      if (options.json) printJson(explanation);
      else print(describe(explanation));
    });
}

const layerColumns: readonly Column<ExplainedLayer>[] = [
  { title: 'LAYER', value: ({ image }) => image },
  { title: 'STATE', value: ({ state, reason }) => (reason === '' ? state : `${state}: ${reason}`) },
  {
    title: 'ATTACHED IN',
    value: ({ attached_in }) => attached_in.map((name) => name || '(no domain)').join(', ') || '-',
  },
];

function describe({ snapshot, kind, domain, rule, layers, file, verdict }: Explanation): string {
  const container = kind !== 'committed';
  const facts = formatFacts([
    ['snapshot', `${visibleText(snapshot)} (${kind})`],
    ...(container
      ? ([
          ['domain', domain || '(no domain)'],
          ['rule', rule || '-'],
        ] as const)
      : []),
    ...(file === null ? [] : fileFacts(file)),
  ]);
  const parts = [facts];
  if (layers.length > 0) parts.push(formatTable(layerColumns, layers));
  if (file !== null) parts.push(...servedTexts(file));
  return [...parts, visibleText(verdict)].join('\n\n');
}

function fileFacts(file: ExplainedFile): readonly (readonly [string, string])[] {
  const { path, type, size, image, fingerprint, verification } = file;
  return [
    ['file', visibleText(path)],
    ['type', type === 'regular file' ? `${type}, ${formatBytes(size)}` : type],
    ['from', image === '' ? 'the container itself' : visibleText(image)],
    ...(image === '' || type !== 'regular file'
      ? []
      : ([['fingerprint', `${fingerprint || '(none)'}${verification && `, ${verification}`}`]] as const)),
  ];
}

/** Its dedup inodes. Where several domains have it, each has its own verdict. */
function servedTexts({ served }: ExplainedFile): string[] {
  return served.flatMap(({ domain, verdict, inode }) => {
    const own = served.length > 1 ? [`${domain || '(no domain)'}: ${visibleText(verdict)}`] : [];
    return inode === null ? own : [inodeText(inode), ...own];
  });
}
