import fc from 'fast-check';
import { formatBytes, formatTable, type Column } from './output';

test.each([
  [0, '0 B'],
  [1, '1 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1536, '1.5 KiB'],
  [2 ** 20 - 1, '1.0 MiB'],
  [2 ** 20, '1.0 MiB'],
  [122.4 * 2 ** 20, '122.4 MiB'],
  [2 ** 30, '1.0 GiB'],
  [3 * 2 ** 40, '3.0 TiB'],
  [5000 * 2 ** 40, '5000.0 TiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test('a size is never off by more than rounding, and never shows 1024 of a unit that has a larger one', () => {
  const factors: Readonly<Record<string, number>> = { B: 0, KiB: 1, MiB: 2, GiB: 3, TiB: 4 };
  fc.assert(
    fc.property(fc.nat(Number.MAX_SAFE_INTEGER), (bytes) => {
      const [number = '', unit = ''] = formatBytes(bytes).split(' ');
      const factor = 1024 ** factors[unit]!;
      expect(Math.abs(Number(number) * factor - bytes)).toBeLessThanOrEqual(factor * 0.0501);
      if (unit !== 'TiB') expect(Number(number)).toBeLessThan(1024);
    }),
  );
});

interface Row {
  readonly name: string;
  readonly size: number;
}

const columns: readonly Column<Row>[] = [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'SIZE', align: 'right', value: ({ size }) => String(size) },
];

test('a table has no borders, numbers at the right, and nothing behind the last column', () => {
  const table = formatTable(columns, [
    { name: 'a', size: 5 },
    { name: 'longer name', size: 12345 },
  ]);
  expect(table.split('\n')).toEqual([
    'NAME          SIZE', //
    'a                5',
    'longer name  12345',
  ]);
});

test('every row is one line, whatever the names are', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (names) => {
      const rows = names.map((name) => ({ name, size: 1 }));
      expect(formatTable(columns, rows).split('\n')).toHaveLength(names.length + 1);
    }),
  );
});
