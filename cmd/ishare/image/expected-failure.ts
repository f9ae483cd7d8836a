import { MissingCodecError } from '../../../erofs/compression/codec-error';
import { ErofsError } from '../../../erofs/errors';
import { ImageBuildError } from '../../../erofs/writer/errors';
import { FuseUnavailableError } from '../../../fuse/errors';
import { SystemCallError, errorCode } from '../../../linux/errno';
import { CommandError } from '../command-error';

/** Errors whose message says all that a user needs. */
const plain = [ErofsError, ImageBuildError, FuseUnavailableError, MissingCodecError, SystemCallError];

/** `error` as one that is printed without its stack, where the user or the machine caused it; else itself. */
export function asCommandError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof CommandError) return error;
  if (plain.some((type) => error instanceof type)) return new CommandError(error.message, { cause: error });
  const code = errorCode(error);
  // Node's file system errors: "ENOENT: no such file or directory, open '/x'".
  if (code === undefined || !('syscall' in error)) return error;
  const subject = 'path' in error && typeof error.path === 'string' ? error.path : String(error.syscall);
  const words = error.message.replace(/^[A-Z0-9]+: /, '').replace(/, \w+( '.*)?$/s, '');
  return new CommandError(`${subject}: ${words}`, { cause: error });
}
