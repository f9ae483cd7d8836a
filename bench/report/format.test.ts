import { formatRatio, formatValue } from './format';

test('figures have three digits and a unit', () => {
  expect(formatValue(153.27 * 1048576, 'bytes')).toBe('153 MiB');
  expect(formatValue(0.01234, 'seconds')).toBe('12.3 ms');
  expect(formatValue(1.2345, 'seconds')).toBe('1.23 s');
  expect(formatValue(1234567, '1/s')).toBe('1,234,567 /s');
  expect(formatValue(0.4711, 'fraction')).toBe('47.1 %');
  expect(formatValue(0, 'bytes')).toBe('0 MiB');
  expect(formatRatio(0.951)).toBe('× 0.95');
  expect(formatRatio(NaN)).toBe('');
});
