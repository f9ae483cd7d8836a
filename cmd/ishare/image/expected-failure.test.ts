import { readFileSync, readlinkSync } from 'node:fs';
import { ErofsCorruptError } from '../../../erofs/errors';
import { SystemCallError } from '../../../linux/errno';
import { CommandError } from '../command-error';
import { asCommandError } from './expected-failure';

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

test.each([
  [() => readFileSync('/nonexistent, really/it is'), '/nonexistent, really/it is: no such file or directory'],
  [() => readlinkSync('/proc'), '/proc: invalid argument'],
  [() => readFileSync(99_999), 'fstat: bad file descriptor'],
])('a failure of the file system is told by its path, as coreutils do', (work, message) => {
  const error = asCommandError(thrownBy(work));
  expect(error).toBeInstanceOf(CommandError);
  expect(error).toMatchObject({ message });
});

test('errors that name image and field, or call and subject, are told as they are', () => {
  for (const error of [
    new ErofsCorruptError({ image: '/i', field: 'superblock.magic' }, 'wrong'),
    new SystemCallError('umount', 16, '/mnt'),
  ]) {
    expect(asCommandError(error)).toEqual(new CommandError(error.message));
  }
});

test('an error of this program keeps its stack', () => {
  for (const error of [new TypeError('x is not a function'), new RangeError('no'), 'text', undefined]) {
    expect(asCommandError(error)).toBe(error);
  }
});
