import { Command } from 'commander';
import { print, printJson } from './output';
import { askDaemon, withDaemonOptions, type DaemonOptions } from './shared-options';

export function configCommand(): Command {
  const config = new Command('config').description('the configuration of the daemon').showHelpAfterError();
  config.addCommand(
    withDaemonOptions(
      new Command('reload').description(
        'read the file again; containers that are made from now on follow it',
      ),
    ).action(async (options: DaemonOptions) => {
      const answer = await askDaemon(options, (daemon) =>
        daemon.call<{ waiting_for_restart: string[] }>((client, ...rest) => client.ReloadConfig({}, ...rest)),
      );
      if (options.json) {
        printJson(answer);
        return;
      }
      print('The domains of the file are in force for containers that are made from now on.');
      const { waiting_for_restart: waiting } = answer;
      if (waiting.length > 0) print(`These have changed too, and wait for a restart: ${waiting.join(', ')}`);
    }),
  );
  return config;
}
