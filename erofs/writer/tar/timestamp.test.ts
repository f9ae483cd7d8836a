import { BadFieldError } from './number';
import { decodePaxTime } from './timestamp';

test.each([
  ['0', 0, 0],
  ['1350244992.023960108', 1350244992, 23_960_108],
  ['1350244992.0239601089', 1350244992, 23_960_108],
  ['5.', 5, 0],
  ['5.1', 5, 100_000_000],
  ['-1', -1, 0],
  ['-0', 0, 0],
  ['-0.25', -1, 750_000_000],
  ['-1.000000001', -2, 999_999_999],
  ['-1.0000000001', -1, 0],
  ['-1099511627776.5', -1_099_511_627_777, 500_000_000],
])('%s', (text, seconds, nanoseconds) => {
  expect(decodePaxTime(Buffer.from(text))).toEqual({ seconds, nanoseconds });
});

test.each(['', '.', '.5', '1.5.5', '+1', '1e9', ' 1', '1\n', '99999999999999999', '--1', '1.x'])(
  '%j is no time',
  (text) => {
    expect(() => decodePaxTime(Buffer.from(text))).toThrow(BadFieldError);
  },
);
