import { Command } from 'commander';
import { CommandError } from './ishare/command-error';
import { errorCode } from '../linux/errno';
import { version } from './version';

/**
 * The subcommands, in the order of the help. Each is loaded where it is called: most of the time that a short command takes
 * is that of loading programs.
 */
const SUBCOMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map(
  Object.entries({
    status: async () => (await import('./ishare/status.js')).statusCommand(),
    top: async () => (await import('./ishare/top.js')).topCommand(),
    domains: async () => (await import('./ishare/domains.js')).domainsCommand(),
    inodes: async () => (await import('./ishare/inodes.js')).inodesCommand(),
    images: async () => (await import('./ishare/images.js')).imagesCommand(),
    explain: async () => (await import('./ishare/explain.js')).explainCommand(),
    cache: async () => (await import('./ishare/cache.js')).cacheCommand(),
    estimate: async () => (await import('./ishare/estimate.js')).estimateCommand(),
    image: async () => (await import('./ishare/image.js')).imageCommand(),
    config: async () => (await import('./ishare/config.js')).configCommand(),
    doctor: async () => (await import('./ishare/doctor.js')).doctorCommand(),
  }),
);

/** All of them where the help lists them, or names one that may have been meant. */
function wanted([word = '']: readonly string[]): readonly (() => Promise<Command>)[] {
  const named = SUBCOMMANDS.get(word);
  if (named !== undefined) return [named];
  return ['-V', '--version'].includes(word) ? [] : [...SUBCOMMANDS.values()];
}

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
    .showHelpAfterError();
  for (const load of wanted(process.argv.slice(2))) program.addCommand(await load());
  await program.parseAsync();
}

main().catch((error: unknown) => {
  const message = error instanceof CommandError ? error.message : (error as Error).stack;
  process.stderr.write(`ishare: ${message ?? String(error)}\n`);
  process.exitCode = 1;
});
