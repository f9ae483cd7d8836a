import { constants } from 'node:os';
import { errnoName, errorCode, SystemCallError } from './errno';

test('numbers have the names that errors of Node carry', () => {
  expect(errnoName(constants.errno.ENOENT)).toBe('ENOENT');
  expect(errnoName(constants.errno.EAGAIN)).toBe('EAGAIN');
  expect(errnoName(116)).toBe('ESTALE');
  expect(errnoName(117)).toBe('EUCLEAN');
  expect(errnoName(4000)).toBe('errno 4000');
});

test('a system call error says which call failed on what, and why', () => {
  const error = new SystemCallError('umount', constants.errno.EBUSY, '/mnt');
  expect(error.message).toBe('umount /mnt: EBUSY');
  expect(error).toMatchObject({ code: 'EBUSY', syscall: 'umount', errno: 16, subject: '/mnt' });
});

test('codes are found on errors of both kinds, and on nothing else', () => {
  expect(errorCode(new SystemCallError('open', 2, 'x'))).toBe('ENOENT');
  expect(errorCode(Object.assign(new Error(), { code: 'EPERM' }))).toBe('EPERM');
  expect(errorCode(new Error('plain'))).toBeUndefined();
  expect(errorCode(Object.assign(new Error(), { code: 7 }))).toBeUndefined();
  expect(errorCode(undefined)).toBeUndefined();
  expect(errorCode('ENOENT')).toBeUndefined();
});
