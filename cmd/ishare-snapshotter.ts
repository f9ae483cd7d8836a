// Before all others.
import { earlyEngineThread } from './daemon/early-engine-thread';
import path from 'node:path';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ConfigError, DEFAULT_CONFIG_FILE, loadConfig, type ConfigOverrides } from '../config/load';
import { configSchema, type Config } from '../config/schema';
import { FuseUnavailableError } from '../fuse/errors';
import { threadIds } from '../linux/threads';
import { ForeignMountError } from '../ishare/stale-mounts';
import { TakeoverRefusedError } from '../ishare/takeover/takeover-state';
import { abandon } from '../ishare/worker/engine-thread';
import { SnapshotterError } from '../snapshotter/errors';
import { SocketError } from '../snapshotter/socket-server';
import { Daemon } from './daemon/daemon';
import { LivePolicy } from './daemon/live-policy';
import { makeLogger } from './daemon/logger';
import { makePoolRealtime } from './daemon/realtime-pool';
import { ServiceWatch } from './daemon/service-watch';
import { StartError } from './daemon/start-error';
import { version } from './version';

interface Flags {
  readonly config?: string;
  readonly root?: string;
  readonly state?: string;
  readonly address?: string;
  readonly adminAddress?: string;
  readonly logLevel?: Config['log_level'];
}

function parseFlags(): Flags {
  const defaults = configSchema.parse({});
  // The defaults stand in the help text only: a flag that is given wins over the file, one that is not must not.
  const flag = (name: string, text: string, value: string) =>
    new Option(name, `${text} (default: "${value}")`);
  const place = (name: string, text: string, value: string) => flag(name, text, value).argParser(absolute);
  return new Command('ishare-snapshotter')
    .description('containerd snapshotter that keeps one page cache for every copy of a file')
    .version(version)
    .showHelpAfterError()
    .exitOverride()
    .addOption(place('--config <file>', 'configuration file', DEFAULT_CONFIG_FILE))
    .addOption(place('--root <dir>', 'images, upper directories and database', defaults.root))
    .addOption(place('--state <dir>', 'the FUSE mount', defaults.state))
    .addOption(place('--address <socket>', 'socket that containerd calls', defaults.address))
    .addOption(place('--admin-address <socket>', 'socket that `ishare` calls', defaults.admin_address))
    .addOption(
      flag('--log-level <level>', 'least level to log', defaults.log_level).choices([
        'error',
        'warn',
        'info',
        'debug',
      ]),
    )
    .parse()
    .opts<Flags>();
}

/** Paths on the command line are meant from where the user stands. */
function absolute(given: string): string {
  if (given === '') throw new InvalidArgumentError('It is empty.');
  return path.resolve(given);
}

function overridesOf(flags: Flags): ConfigOverrides {
  const given = {
    root: flags.root,
    state: flags.state,
    address: flags.address,
    admin_address: flags.adminAddress,
    log_level: flags.logLevel,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

async function main(): Promise<void> {
  const threadsBefore = threadIds();
  // Whoever reads the log may go away before the daemon does, and then there is nobody to tell.
  process.stderr.on('error', () => undefined);
  const flags = parseFlags();
  // Either somebody asks the daemon to stop, or the thread that serves the mounts ends unasked.
  let end: (failure?: Error) => void = () => undefined;
  const ended = new Promise<Error | undefined>((resolve) => (end = resolve));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end());
  const read = (): Promise<Config> => loadConfig(flags.config, overridesOf(flags));
  const config = await read();
  if (config.fuse.realtime) makePoolRealtime(threadsBefore);
  const logger = makeLogger(config.log_level);
  const policy = new LivePolicy(config, read, logger);
  // Before the daemon starts: the signal's ordinary effect would end it.
  process.on('SIGHUP', () => {
    policy.reload().catch((error: unknown) => {
      logger.error('the old configuration stays in force', { reason: explain(error) });
    });
  });
  const daemon = await Daemon.start(config, policy, logger, { thread: earlyEngineThread, onCrash: end });
  using watch = new ServiceWatch({ environment: process.env, alive: () => daemon.alive(), logger });
  watch.ready();
  const failure = await ended;
  watch.stopping();
  if (failure === undefined) logger.info('stopping');
  else logger.error('the thread that serves the mounts has ended', { error: failure });
  await daemon[Symbol.asyncDispose]();
  logger.info('stopped');
  // Not process.exitCode: on its slow way out Node gives signals their ordinary effect back, and a second SIGTERM would
  // then turn this end into a death by signal.
  process.exit(failure === undefined ? 0 : 1);
}

/** Errors whose message alone tells the user what to do. */
const plainErrors = [
  ConfigError,
  StartError,
  FuseUnavailableError,
  ForeignMountError,
  TakeoverRefusedError,
  SocketError,
  SnapshotterError,
];

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // `await using` throws both together when undoing a start fails too; Node 20 has no class to test for.
  if ('suppressed' in error && 'error' in error) {
    return `${explain(error.suppressed)}\nUndoing the start failed too: ${explain(error.error)}`;
  }
  const plain = plainErrors.some((type) => error instanceof type || error.name === type.name);
  return plain ? error.message : (error.stack ?? error.message);
}

async function endedWithout(error: unknown): Promise<void> {
  // What was wrong with the command line has been told.
  if (!(error instanceof CommanderError)) process.stderr.write(`ishare-snapshotter: ${explain(error)}\n`);
  process.exitCode = error instanceof CommanderError ? error.exitCode : 1;
  await abandon(earlyEngineThread);
}

void main().catch(endedWithout);
