import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import type { RotateDomainResponse } from '../../proto/admin-messages';
import { CommandError } from './command-error';
import { print, printJson } from './output';
import { askDaemon, withDaemonOptions, type DaemonOptions } from './shared-options';

interface RotateOptions extends DaemonOptions {
  readonly yes?: true;
}

export function domainRotateCommand(): Command {
  return withDaemonOptions(new Command('rotate').description('give a domain a new secret id'))
    .argument('<name>', 'the domain')
    .option('--yes', 'do not ask')
    .addHelpText('after', HELP)
    .action(async (name: string, options: RotateOptions) => {
      if (options.yes !== true && !(await agreed(name, options))) {
        print('Nothing was changed.');
        process.exitCode = 1;
        return;
      }
      const answer = await askDaemon(options, (daemon) =>
        daemon.call<RotateDomainResponse>((client, ...rest) => client.RotateDomain({ name }, ...rest)),
      );
      if (options.json) printJson(answer);
      else print(`The domain "${name}" has a new id. ${stay(answer.containers)}`);
    });
}

const EFFECT = `Containers that run keep their pages, and go on sharing among themselves. Containers that are started from now on use the
new id, and share nothing with those that run.`;

const HELP = `\n${EFFECT}`;

async function agreed(name: string, { json }: RotateOptions): Promise<boolean> {
  if (json === true || !process.stdin.isTTY || !process.stdout.isTTY)
    throw new CommandError('rotate asks first; where nobody can be asked, say --yes');
  print(EFFECT);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test(await terminal.question(`Give the domain "${name}" a new id? [y/N] `));
  } finally {
    terminal.close();
  }
}

function stay(containers: number): string {
  if (containers === 0) return 'No container stays in an earlier one.';
  if (containers === 1) return '1 container stays in an earlier one until it is removed.';
  return `${containers} containers stay in an earlier one until they are removed.`;
}
