import { constants } from 'node:os';
import { errnoOf, FuseError, isOrdinaryAnswer, ProtocolError } from './errors';

test('the code of an error decides about its errno', () => {
  expect(errnoOf(new FuseError('ENODATA'))).toBe(constants.errno.ENODATA);
  expect(errnoOf(new FuseError('ESTALE'))).toBe(116);
  expect(errnoOf(new FuseError('EUCLEAN'))).toBe(117);
  expect(errnoOf(new ProtocolError('short'))).toBe(constants.errno.EINVAL);
  expect(errnoOf(Object.assign(new Error('no such file'), { code: 'ENOENT' }))).toBe(constants.errno.ENOENT);
});

test.each([
  new Error('without a code'),
  Object.assign(new Error(), { code: 'ERR_OUT_OF_RANGE' }),
  Object.assign(new Error(), { code: 'toString' }),
  Object.assign(new Error(), { code: 5 }),
  'a string',
  undefined,
])('anything else is EIO: %p', (error) => {
  expect(errnoOf(error)).toBe(constants.errno.EIO);
});

test('only answers that a client provokes go without a log line', () => {
  expect(isOrdinaryAnswer(new FuseError('ENOENT'))).toBe(true);
  expect(isOrdinaryAnswer(new FuseError('EIO'))).toBe(false);
  expect(isOrdinaryAnswer(new FuseError('EUCLEAN'))).toBe(false);
  expect(isOrdinaryAnswer(new ProtocolError('short'))).toBe(false);
  expect(isOrdinaryAnswer(new Error('bug'))).toBe(false);
});
