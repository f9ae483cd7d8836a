import { CommandError } from '../command-error';

/** What mount(8) and umount(8) exit with when the work itself has failed; 1 is for wrong words on the command line. */
export const MOUNT_FAILURE = 32;

/** Does the work of a command whose failures have an exit code of their own, and prints them as all commands do. */
export async function exitingWith(failure: number, work: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await work();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    process.stderr.write(`ishare: ${error.message}\n`);
    process.exitCode = failure;
  }
}
