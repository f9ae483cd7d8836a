import { closeSync, fstatSync, openSync } from 'node:fs';
import { Descriptor } from './descriptor';

test('a descriptor is closed once, and its number is not given out again', () => {
  const number = openSync('/dev/null', 'r');
  const descriptor = new Descriptor(number, 'the null device');
  expect(descriptor.number).toBe(number);
  expect(descriptor.closed).toBe(false);
  descriptor[Symbol.dispose]();
  expect(descriptor.closed).toBe(true);
  expect(() => fstatSync(number)).toThrow(/EBADF/);
  expect(() => descriptor.number).toThrow('the null device: used after it was closed');
  // The kernel gives the number to the next one who asks: disposing again must not close that one's.
  const other = openSync('/dev/null', 'r');
  expect(other).toBe(number);
  descriptor[Symbol.dispose]();
  fstatSync(other);
  closeSync(other);
});
