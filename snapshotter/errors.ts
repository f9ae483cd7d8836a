import { toUSVString } from 'node:util';
import { status } from '@grpc/grpc-js';
import { SqliteError } from 'better-sqlite3';
import { ImageBuilderClosedError } from '../erofs/build-worker';
import { ErofsCorruptError, ErofsUnsupportedError } from '../erofs/errors';
import { ImageBuildError } from '../erofs/writer/errors';
import { errorCode } from '../linux/errno';

/** Base of the errors that are answers: each carries the one gRPC status that containerd acts upon. */
export abstract class SnapshotterError extends Error {
  abstract readonly status: status;
}

/** No snapshot has this key or name. containerd takes it as "gone", so it is never used for a lost file. */
export class NotFoundError extends SnapshotterError {
  override readonly name = 'NotFoundError';
  readonly status = status.NOT_FOUND;
}

/** The key or name is taken. */
export class AlreadyExistsError extends SnapshotterError {
  override readonly name = 'AlreadyExistsError';
  readonly status = status.ALREADY_EXISTS;
}

/** The snapshot is not in a state that allows this: wrong kind, has children, is being committed. */
export class FailedPreconditionError extends SnapshotterError {
  override readonly name = 'FailedPreconditionError';
  readonly status = status.FAILED_PRECONDITION;
}

/** The request itself is wrong, whatever the state. */
export class InvalidArgumentError extends SnapshotterError {
  override readonly name = 'InvalidArgumentError';
  readonly status = status.INVALID_ARGUMENT;
}

/** Something has run out: inode numbers, space. */
export class ResourceExhaustedError extends SnapshotterError {
  override readonly name = 'ResourceExhaustedError';
  readonly status = status.RESOURCE_EXHAUSTED;
}

/** Not at the moment (starting, stopping): the caller may try again. */
export class UnavailableError extends SnapshotterError {
  override readonly name = 'UnavailableError';
  readonly status = status.UNAVAILABLE;
}

/** Somebody else is to do it: containerd asks its next differ then. */
export class UnimplementedError extends SnapshotterError {
  override readonly name = 'UnimplementedError';
  readonly status = status.UNIMPLEMENTED;
}

/** What is stored contradicts itself, for instance a row without its image. */
export class DataLossError extends SnapshotterError {
  override readonly name = 'DataLossError';
  readonly status = status.DATA_LOSS;
}

/** A fault of this program or of the machine under it. */
export class InternalError extends SnapshotterError {
  override readonly name = 'InternalError';
  readonly status = status.INTERNAL;
}

/**
 * Errno names with a meaning for the caller. ENOENT is not among them on purpose: containerd answers NOT_FOUND by
 * forgetting the snapshot, which a file lost on this side must not cause.
 */
const statusOfErrno: Readonly<Record<string, status>> = {
  ENOSPC: status.RESOURCE_EXHAUSTED,
  EDQUOT: status.RESOURCE_EXHAUSTED,
  ENOMEM: status.RESOURCE_EXHAUSTED,
  EMFILE: status.RESOURCE_EXHAUSTED,
  ENFILE: status.RESOURCE_EXHAUSTED,
  EBUSY: status.FAILED_PRECONDITION,
  EROFS: status.FAILED_PRECONDITION,
  ENOTCONN: status.UNAVAILABLE,
  ECONNREFUSED: status.UNAVAILABLE,
  EIO: status.DATA_LOSS,
  EUCLEAN: status.DATA_LOSS,
  ABORT_ERR: status.CANCELLED,
};

/** Result codes of SQLite (sqlite.org/rescode.html) by their first part; better-sqlite3 spells extended ones too. */
const statusOfSqlite: readonly (readonly [prefix: string, status: status])[] = [
  ['SQLITE_FULL', status.RESOURCE_EXHAUSTED],
  ['SQLITE_NOMEM', status.RESOURCE_EXHAUSTED],
  ['SQLITE_READONLY', status.FAILED_PRECONDITION],
  ['SQLITE_CANTOPEN', status.UNAVAILABLE],
  ['SQLITE_IOERR', status.DATA_LOSS],
  ['SQLITE_BUSY', status.UNAVAILABLE],
  ['SQLITE_CORRUPT', status.DATA_LOSS],
  ['SQLITE_NOTADB', status.DATA_LOSS],
];

/** What goes over the wire for one failed call. */
export interface GrpcFailure {
  readonly code: status;
  readonly details: string;
}

/** The one place where errors become gRPC statuses: ours, the kernel's, SQLite's, the image format's. */
export function toGrpcFailure(error: unknown): GrpcFailure {
  return { code: statusOf(error), details: sendable(describe(error)) };
}

/**
 * Bytes that a text may have where it travels: percent-encoded in one header. A call whose headers are too large for HTTP/2
 * is never answered.
 */
const MAX_DETAILS_BYTES = 4096;

/** The text as far as it fits. Halves of surrogate pairs have no encoding, and are replaced. */
function sendable(text: string): string {
  let kept = '';
  let bytes = 0;
  for (const character of toUSVString(text)) {
    bytes += encodeURI(character).length;
    if (bytes > MAX_DETAILS_BYTES) return `${kept}...`;
    kept += character;
  }
  return kept;
}

function statusOf(error: unknown): status {
  if (error instanceof SnapshotterError) return error.status;
  if (error instanceof ErofsCorruptError) return status.DATA_LOSS;
  if (error instanceof ErofsUnsupportedError) return status.FAILED_PRECONDITION;
  if (error instanceof ImageBuildError) return status.FAILED_PRECONDITION;
  if (error instanceof ImageBuilderClosedError) return status.UNAVAILABLE;
  if (isAbort(error)) return status.CANCELLED;
  if (error instanceof SqliteError) {
    return statusOfSqlite.find(([prefix]) => error.code.startsWith(prefix))?.[1] ?? status.INTERNAL;
  }
  const code = errorCode(error);
  const known = code === undefined ? undefined : statusOfErrno[code];
  if (known !== undefined) return known;
  return error instanceof Error && error.cause !== undefined ? statusOf(error.cause) : status.INTERNAL;
}

/** What aborted signals give as reason (a DOMException) and Node's own calls throw (an Error). */
function isAbort(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === 'AbortError';
}

/** The message with those of its causes, each told once. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const message = error.message === '' ? error.name : error.message;
  if (error.cause === undefined) return message;
  const cause = describe(error.cause);
  return message.includes(cause) ? message : `${message}: ${cause}`;
}
