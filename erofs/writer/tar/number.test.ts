import fc from 'fast-check';
import { BadFieldError, decodeDecimal, decodeNumber } from './number';

/** A binary number as GNU tar writes it: two's complement, the top bit set. */
function binary(value: bigint, width: number): Buffer {
  const hex = BigInt.asUintN(8 * width, value)
    .toString(16)
    .padStart(2 * width, '0');
  const bytes = Buffer.from(hex, 'hex');
  bytes[0] = (bytes[0]! & 0x7f) | 0x80;
  return bytes;
}

test.each([
  ['0000644\0', 0o644],
  ['000644 \0', 0o644],
  ['    644 ', 0o644],
  ['644\0junk', 0o644],
  ['\0\0\0\0\0\0\0\0', 0],
  ['        ', 0],
  ['77777777', 0o77777777],
])('%j is octal', (text, value) => {
  expect(decodeNumber(Buffer.from(text, 'latin1'))).toBe(value);
});

test.each(['0000648\0', '-000001\0', '12 34\0', '0x1\0', '\u007f\0'])('%j is no number', (text) => {
  expect(() => decodeNumber(Buffer.from(text, 'latin1'))).toThrow(BadFieldError);
});

test('binary numbers of either sign are exact', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.constantFrom(8, 12), (value, width) => {
      expect(decodeNumber(binary(BigInt(value), width))).toBe(value);
    }),
  );
  expect(decodeNumber(Buffer.from('ffffffffffffffff', 'hex'))).toBe(-1);
});

test('binary numbers beyond 53 bits are refused', () => {
  expect(() => decodeNumber(binary(2n ** 53n, 12))).toThrow(
    '9007199254740992 is beyond every real number here',
  );
  expect(() => decodeNumber(binary(-(2n ** 90n), 12))).toThrow(BadFieldError);
});

test.each(['', '-1', '1.5', ' 1', '9007199254740992', '1e3', '0x10'])('%j is no decimal number', (text) => {
  expect(() => decodeDecimal(Buffer.from(text))).toThrow(BadFieldError);
});

test('decimal numbers are read', () => {
  expect(decodeDecimal(Buffer.from('9007199254740991'))).toBe(Number.MAX_SAFE_INTEGER);
});
