import { errno, errorCode, type ErrnoName } from '../linux/errno';

/** What a file system throws to give the kernel one certain errno. */
export class FuseError extends Error {
  override readonly name = 'FuseError';

  constructor(
    readonly code: ErrnoName | 'EUCLEAN' | 'ESTALE',
    message: string = code,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A request that is shorter than its structure, or has a field that cannot be. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code = 'EINVAL';
}

/** The kernel and this program cannot work together: too old, or not permitted. */
export class FuseUnavailableError extends Error {
  override readonly name = 'FuseUnavailableError';
}

/** Errnos by name, with those that Node's table lacks (asm-generic/errno.h). */
const numbers = new Map<string, number>([...Object.entries(errno), ['ESTALE', 116], ['EUCLEAN', 117]]);

/**
 * The errno that an error becomes on the wire: its `code` where that names one (FuseError, Node's errors,
 * SystemCallError and the errors of the image format all have one), else EIO.
 */
export function errnoOf(error: unknown): number {
  return numbers.get(errorCode(error) ?? '') ?? errno.EIO;
}

/** Errors that a client causes by asking (no such name, read-only): they are answers, not faults worth a log line. */
export function isOrdinaryAnswer(error: unknown): boolean {
  return error instanceof FuseError && error.code !== 'EIO' && error.code !== 'EUCLEAN';
}
