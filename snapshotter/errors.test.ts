import { mkdirSync, readFileSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import SqliteDatabase from 'better-sqlite3';
import { ErofsCorruptError } from '../erofs/errors';
import { DependentUpperError } from '../erofs/writer/errors';
import { errno, SystemCallError } from '../linux/errno';
import { NotFoundError, toGrpcFailure, UnavailableError } from './errors';

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

test('an answer keeps its status and its words', () => {
  expect(toGrpcFailure(new NotFoundError('snapshot "x" does not exist'))).toEqual({
    code: status.NOT_FOUND,
    details: 'snapshot "x" does not exist',
  });
  expect(toGrpcFailure(new UnavailableError('later')).code).toBe(status.UNAVAILABLE);
});

test('a full disk is RESOURCE_EXHAUSTED, whoever notices', () => {
  expect(toGrpcFailure(new SystemCallError('write', errno.ENOSPC, '/x')).code).toBe(
    status.RESOURCE_EXHAUSTED,
  );
  expect(toGrpcFailure(new SystemCallError('write', errno.EDQUOT, '/x')).code).toBe(
    status.RESOURCE_EXHAUSTED,
  );
  const full = new SqliteDatabase.SqliteError('database or disk is full', 'SQLITE_FULL');
  expect(toGrpcFailure(full).code).toBe(status.RESOURCE_EXHAUSTED);
});

test('a file that is missing on this side is no NOT_FOUND, which would make containerd forget the snapshot', () => {
  expect(toGrpcFailure(caught(() => readFileSync('/nonexistent/file'))).code).toBe(status.INTERNAL);
});

test("Node's own errors are known by their errno", () => {
  const failure = toGrpcFailure(caught(() => mkdirSync('/proc/self/nope')));
  expect(failure.details).toContain('/proc/self/nope');
  expect(toGrpcFailure(caught(() => readFileSync('/proc/self/mem'))).code).toBe(status.DATA_LOSS);
});

test('what an image does wrong is told with image and field', () => {
  const corrupt = new ErofsCorruptError({ image: '/i/7.erofs', field: 'magic' }, 'is 0x0');
  expect(toGrpcFailure(corrupt)).toEqual({ code: status.DATA_LOSS, details: '/i/7.erofs, magic: is 0x0' });
  expect(toGrpcFailure(new DependentUpperError('/u/dir', 'redirected')).code).toBe(
    status.FAILED_PRECONDITION,
  );
});

test('an error that only wraps another has the status of that one, and tells both', () => {
  const wrapped = new Error('cannot commit', { cause: new SystemCallError('write', errno.ENOSPC, '/x') });
  expect(toGrpcFailure(wrapped)).toEqual({
    code: status.RESOURCE_EXHAUSTED,
    details: 'cannot commit: write /x: ENOSPC',
  });
});

test('a call that the client gave up is CANCELLED', () => {
  expect(toGrpcFailure(AbortSignal.abort().reason).code).toBe(status.CANCELLED);
});

test('everything else is INTERNAL', () => {
  expect(toGrpcFailure(new TypeError('oops'))).toEqual({ code: status.INTERNAL, details: 'oops' });
  expect(toGrpcFailure('thrown text')).toEqual({ code: status.INTERNAL, details: 'thrown text' });
});

test('what travels fits into a header, and can be encoded', () => {
  const long = toGrpcFailure(new NotFoundError('x'.repeat(9_000)));
  expect(long.details).toBe(`${'x'.repeat(4096)}...`);
  // Each of these characters takes twelve bytes of a header.
  const wide = toGrpcFailure(new NotFoundError('😀'.repeat(2000)));
  expect(wide.details).toBe(`${'😀'.repeat(341)}...`);
  const half = toGrpcFailure(new NotFoundError('😀'.slice(0, 1)));
  expect(encodeURI(half.details)).toBe('%EF%BF%BD');
});
