import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { CommandError } from '../command-error';
import type { MountOrder, MountReport } from './mount-order';

/** What the background process tells of its start. It stays mounted only where the starter takes note of it. */
export type StartMessage =
  | { readonly kind: 'mounted'; readonly report: MountReport }
  | { readonly kind: 'failed'; readonly message: string };
/** The starter's answer to `mounted`. After it they part. */
export const NOTED = 'noted';

/**
 * Mounts in a process of its own, in a session of its own: it keeps no terminal, no directory and no file of this
 * process open, and stays when these end. Resolves once the mount answers. Throws CommandError with the process's own
 * reason where it could not mount; then it has ended, and nothing is mounted. Where this process dies before the answer,
 * the other takes its mount away again.
 */
export async function mountInBackground(order: MountOrder): Promise<MountReport> {
  const child = startInBackground(order);
  const message = await startMessage(child);
  child.unref();
  if (message.kind === 'failed') throw new CommandError(message.message);
  await new Promise<void>((resolve) => child.send(NOTED, () => resolve()));
  child.disconnect();
  return message.report;
}

/** Starts the process alone. It sends a StartMessage, and stays mounted where that is answered with NOTED. */
export function startInBackground(order: MountOrder): ChildProcess {
  return spawn(process.execPath, [path.join(__dirname, 'background-mount-entry.js'), JSON.stringify(order)], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
}

function startMessage(child: ChildProcess): Promise<StartMessage> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as StartMessage));
    child.once('error', (error) =>
      reject(new CommandError(`cannot start the background process: ${error.message}`, { cause: error })),
    );
    child.once('exit', (code, signal) =>
      reject(
        new CommandError(`the background process ended before it had mounted (${signal ?? `code ${code}`})`),
      ),
    );
  });
}
