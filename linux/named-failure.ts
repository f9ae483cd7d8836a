import { errorCode, SystemCallError } from './errno';

/**
 * What a failed call on a descriptor threw, with the file that it was about: Node's errors say none then. Errors that name
 * a file already, and all others, are returned as they are.
 */
export function withSubject(error: unknown, subject: string): unknown {
  if (error instanceof SystemCallError || errorCode(error) === undefined) return error;
  const { syscall, errno, path } = error as NodeJS.ErrnoException;
  if (syscall === undefined || errno === undefined || path !== undefined) return error;
  // libuv's numbers are negative.
  return new SystemCallError(syscall, Math.abs(errno), subject, { cause: error });
}

/** Runs synchronous work on the descriptor of `subject`; what it throws says so. */
export function naming<Result>(subject: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw withSubject(error, subject);
  }
}
