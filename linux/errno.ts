import { constants } from 'node:os';

/** Errno numbers by name, as Linux on this machine numbers them (EPERM = 1 ...). */
export const errno = constants.errno;

export type ErrnoName = keyof typeof constants.errno;

const nameOf = new Map<number, string>(
  Object.entries(constants.errno).map(([name, number]) => [number, name]),
);
// One number, two names: this is the one that Node's errors carry.
nameOf.set(constants.errno.EAGAIN, 'EAGAIN');
// Node's table follows libuv and lacks a few that file systems use; asm-generic/errno.h has them.
nameOf.set(117, 'EUCLEAN');
nameOf.set(116, 'ESTALE');

/** The name of an errno number, or `errno N` for one that has none here. */
export function errnoName(number: number): string {
  return nameOf.get(number) ?? `errno ${number}`;
}

/**
 * A system call that failed. `code` and `syscall` read like those of Node's own errors, so that callers treat
 * both alike.
 */
export class SystemCallError extends Error {
  override readonly name = 'SystemCallError';
  readonly code: string;

  constructor(
    readonly syscall: string,
    /** Positive errno number. */
    readonly errno: number,
    /** What the call was about: a path, a descriptor. */
    readonly subject: string,
    options?: ErrorOptions,
  ) {
    super(`${syscall} ${subject}: ${errnoName(errno)}`, options);
    this.code = errnoName(errno);
  }
}

/**
 * The errno name that an error carries (Node's and ours alike), or undefined. It asks for the field, not the class:
 * errors of Node's core may come from another realm, where `instanceof Error` is false.
 */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
