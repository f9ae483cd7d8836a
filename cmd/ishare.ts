import { Command } from 'commander';
import { cacheCommand } from './ishare/cache';
import { CommandError } from './ishare/command-error';
import { configCommand } from './ishare/config';
import { doctorCommand } from './ishare/doctor';
import { domainsCommand } from './ishare/domains';
import { estimateCommand } from './ishare/estimate';
import { explainCommand } from './ishare/explain';
import { imageCommand } from './ishare/image';
import { imagesCommand } from './ishare/images';
import { inodesCommand } from './ishare/inodes';
import { statusCommand } from './ishare/status';
import { topCommand } from './ishare/top';
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
    .addCommand(topCommand())
    .addCommand(domainsCommand())
    .addCommand(inodesCommand())
    .addCommand(imagesCommand())
    .addCommand(explainCommand())
    .addCommand(cacheCommand())
    .addCommand(estimateCommand())
    .addCommand(imageCommand())
    .addCommand(configCommand())
    .addCommand(doctorCommand());
  await program.parseAsync();
}

main().catch((error: unknown) => {
  const message = error instanceof CommandError ? error.message : (error as Error).stack;
  process.stderr.write(`ishare: ${message ?? String(error)}\n`);
  process.exitCode = 1;
});
