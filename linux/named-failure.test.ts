import { closeSync, fsyncSync, openSync } from 'node:fs';
import { SystemCallError } from './errno';
import { naming, withSubject } from './named-failure';

function failureOf(work: () => void): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing failed');
}

test('a failed call on a descriptor names its file', () => {
  const fd = openSync('/dev/null', 'r');
  closeSync(fd);
  const error = failureOf(() => naming('/some/file', () => fsyncSync(fd)));
  expect(error).toBeInstanceOf(SystemCallError);
  expect(error).toMatchObject({ code: 'EBADF', syscall: 'fsync', message: 'fsync /some/file: EBADF' });
  expect(error).toMatchObject({ cause: { code: 'EBADF' } });
});

test('an error that names a file, or is of another kind, stays as it is', () => {
  const absent = failureOf(() => void openSync('/does/not/exist', 'r'));
  const own = new SystemCallError('read', 5, '/a');
  for (const error of [absent, own, new RangeError('far'), 'words', undefined]) {
    expect(withSubject(error, '/some/file')).toBe(error);
  }
});
