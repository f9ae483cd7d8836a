import path from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { configSchema } from '../../config/schema';
import type { AdminConnection } from './admin-connection';

export interface DaemonOptions {
  readonly address: string;
  readonly json?: true;
}

/** The options that every command has which asks the daemon. */
export function withDaemonOptions(command: Command): Command {
  return command
    .showHelpAfterError()
    .option(
      '--address <socket>',
      'admin socket of the daemon',
      absolute,
      configSchema.parse({}).admin_address,
    )
    .option('--json', 'print JSON for programs');
}

function absolute(given: string): string {
  if (given === '') throw new InvalidArgumentError('It is empty.');
  return path.resolve(given);
}

/** Argument parser of options that take a number from 0 on. */
export function wholeNumber(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number))
    throw new InvalidArgumentError('It is no whole number.');
  return number;
}

export async function askDaemon<Result>(
  options: DaemonOptions,
  ask: (connection: AdminConnection) => Promise<Result>,
): Promise<Result> {
  // Loaded late: commands that ask no daemon start sooner without gRPC.
  const { AdminConnection: Connection } = await import('./admin-connection.js');
  using connection = new Connection(options.address);
  return await ask(connection);
}
