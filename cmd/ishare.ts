import { Command } from 'commander';
import { CommandError } from './ishare/command-error';
import { configCommand } from './ishare/config';
import { domainsCommand } from './ishare/domains';
import { imageCommand } from './ishare/image';
import { imagesCommand } from './ishare/images';
import { inodesCommand } from './ishare/inodes';
import { statusCommand } from './ishare/status';
import { errorCode } from '../linux/errno';
import { version } from './version';

/** The operator's command: asks the daemon over its admin socket. */
async function main(): Promise<void> {
  process.stdout.on('error', (error: Error) => {
    // Whoever reads the output has seen enough (`| head`).
    if (errorCode(error) === 'EPIPE') return;
    process.stderr.write(`ishare: cannot write the output: ${error.message}\n`);
    process.exitCode = 1;
  });
  const program = new Command('ishare')
    .description('See what the containers of this machine share.')
    .version(version)
    .showHelpAfterError()
    .addCommand(statusCommand())
    .addCommand(domainsCommand())
    .addCommand(inodesCommand())
    .addCommand(imagesCommand())
    .addCommand(imageCommand())
    .addCommand(configCommand());
  await program.parseAsync();
}

main().catch((error: unknown) => {
  const message = error instanceof CommandError ? error.message : (error as Error).stack;
  process.stderr.write(`ishare: ${message ?? String(error)}\n`);
  process.exitCode = 1;
});
