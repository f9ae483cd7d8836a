import { Command } from 'commander';
import type { InodeDetails } from '../../proto/admin-messages';
import { inodeText } from './inode-text';
import { print, printJson } from './output';
import { askDaemon, withDaemonOptions, type DaemonOptions } from './shared-options';

export function inodeShowCommand(): Command {
  return withDaemonOptions(
    new Command('show').description(
      'one content, in each domain that has it: who holds it, who has opened it',
    ),
  )
    .argument('<fingerprint>', 'sha256:DIGITS, the digits alone, or the first of them: eight at least')
    .action(async (fingerprint: string, options: DaemonOptions) => {
      const { inodes } = await askDaemon(options, (daemon) =>
        daemon.call<{ inodes: InodeDetails[] }>((client, ...rest) =>
          client.ShowInode({ fingerprint }, ...rest),
        ),
      );
      if (options.json) printJson(inodes);
      else print(inodes.map(inodeText).join('\n\n'));
    });
}
