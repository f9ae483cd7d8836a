import { CommandError } from '../process/command';

/** What containerd's errors say at their end (its errdefs package), as far as callers tell them apart. */
export type ContainerdErrorKind =
  'not-found' | 'already-exists' | 'failed-precondition' | 'invalid-argument' | 'unavailable' | 'other';

/** `ctr` failed. `kind` is what containerd called the error, read from the last words of `stderr`. */
export class CtrError extends CommandError {
  override readonly name = 'CtrError';
  readonly kind: ContainerdErrorKind;

  constructor(error: CommandError) {
    super(error.outcome, { cause: error.cause });
    this.kind = kindOf(error.stderr);
  }
}

/** errdefs' texts; 1.x and 2.x write the same ones. */
const TEXTS: readonly (readonly [RegExp, ContainerdErrorKind])[] = [
  [/: not found\b/, 'not-found'],
  [/already exists/, 'already-exists'],
  [/failed precondition/, 'failed-precondition'],
  [/invalid argument/, 'invalid-argument'],
  [/: unavailable\b|connection refused|connection error|context deadline exceeded/, 'unavailable'],
];

function kindOf(stderr: string): ContainerdErrorKind {
  return TEXTS.find(([text]) => text.test(stderr))?.[1] ?? 'other';
}
