import { execFile, type ExecFileOptions, type PromiseWithChild } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import type { ClientActions } from './client-program';

const run = promisify(execFile);
/** A client that waits for an answer longer than this (ms) is killed and its test fails. */
const PATIENCE_MS = 20_000;

/** Runs a command as a client of the mounts that this process serves. */
export function command(
  file: string,
  commandArguments: readonly string[],
  options: ExecFileOptions & { readonly encoding?: 'utf8' | 'latin1' } = {},
): PromiseWithChild<{ stdout: string; stderr: string }> {
  return run(file, commandArguments, {
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
    maxBuffer: 64 << 20,
    encoding: 'utf8',
    ...options,
  });
}

/** Starts one action of client-program.ts in a process of its own. */
export function startClient<Name extends keyof ClientActions>(
  action: Name,
  target: string,
  argument = '',
): {
  readonly client: ReturnType<typeof command>;
  readonly result: Promise<ReturnType<ClientActions[Name]>>;
} {
  const client = command(process.execPath, [
    path.join(__dirname, 'client-program.js'),
    action,
    target,
    argument,
  ]);
  const result = client.then(({ stdout }) => JSON.parse(stdout) as ReturnType<ClientActions[Name]>);
  return { client, result };
}

/** Runs one action of client-program.ts in a process of its own. */
export function inClient<Name extends keyof ClientActions>(
  action: Name,
  target: string,
  argument = '',
): Promise<ReturnType<ClientActions[Name]>> {
  return startClient(action, target, argument).result;
}
