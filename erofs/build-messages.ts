import { SystemCallError } from '../linux/errno';
import type { BuildOptions, BuildProgress, BuildResult } from './build';
import { MissingCodecError } from './compression/codec-error';
import { ErofsCorruptError, ErofsDigestError, ErofsUnsupportedError } from './errors';
import { DependentUpperError, SourceChangedError, UnrepresentableError } from './writer/errors';
import {
  DamagedCompressionError,
  ImpossibleEntryError,
  MalformedTarError,
  UnsupportedTarError,
  WrongBlobError,
} from './writer/tar/errors';

/** What a worker is told to build: the options that can cross threads. */
export type BuildOrder = Pick<
  BuildOptions,
  'source' | 'target' | 'fingerprintXattr' | 'compression' | 'threads' | 'digests' | 'digestsTemporary'
> & {
  readonly temporary: string;
};

/** To the worker. It gets one order at a time. */
export type ToWorker = { readonly kind: 'build'; readonly order: BuildOrder } | { readonly kind: 'abort' };

/** From the worker, about the order in hand; `done` or `failed` ends it. */
export type FromWorker =
  | { readonly kind: 'progress'; readonly progress: BuildProgress }
  | { readonly kind: 'done'; readonly result: BuildResult }
  | { readonly kind: 'failed'; readonly error: PackedError };

/** An error on its way between threads, where the structured clone algorithm would keep no more than its message. */
export interface PackedError {
  readonly className: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Own fields such as `code`, `errno`, `path`. */
  readonly fields: Readonly<Record<string, string | number | boolean | bigint>>;
  readonly cause: PackedError | undefined;
}

/** Classes that come out as what they went in; all others as Error with their fields. */
const classes: ReadonlyMap<string, { readonly prototype: Error }> = new Map(
  [
    ...[SystemCallError, TypeError, RangeError, MissingCodecError],
    ...[SourceChangedError, UnrepresentableError, DependentUpperError],
    ...[
      MalformedTarError,
      UnsupportedTarError,
      ImpossibleEntryError,
      DamagedCompressionError,
      WrongBlobError,
    ],
    ...[ErofsCorruptError, ErofsUnsupportedError, ErofsDigestError],
  ].map((each) => [each.name, each] as const),
);

const OWN_OF_EVERY_ERROR = new Set(['message', 'stack', 'cause']);

export function packError(error: unknown): PackedError {
  if (!(error instanceof Error)) {
    return { className: 'Error', message: String(error), stack: undefined, fields: {}, cause: undefined };
  }
  const fields: Record<string, string | number | boolean | bigint> = {};
  for (const key of Object.getOwnPropertyNames(error)) {
    if (OWN_OF_EVERY_ERROR.has(key)) continue;
    const value: unknown = Object.getOwnPropertyDescriptor(error, key)?.value;
    switch (typeof value) {
      case 'string':
      case 'number':
      case 'boolean':
      case 'bigint':
        fields[key] = value;
        break;
      default:
      // Nothing that callers look at is of another kind.
    }
  }
  const cause = error.cause === undefined ? undefined : packError(error.cause);
  return { className: error.constructor.name, message: error.message, stack: error.stack, fields, cause };
}

export function unpackError(packed: PackedError): Error {
  const error = new Error(
    packed.message,
    packed.cause === undefined ? {} : { cause: unpackError(packed.cause) },
  );
  const known = classes.get(packed.className);
  if (known !== undefined) Object.setPrototypeOf(error, known.prototype);
  if (packed.stack !== undefined) error.stack = packed.stack;
  return Object.assign(error, packed.fields);
}
