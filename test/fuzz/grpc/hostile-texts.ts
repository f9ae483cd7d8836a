import fc from 'fast-check';

/** Texts that mean something to somebody between here and the disk: paths, objects, terminals, lines, JSON, SQL. */
export const MEANINGFUL = [
  '',
  '/',
  '.',
  '..',
  '../../../etc/passwd',
  '/etc/passwd',
  'a/../b',
  'nul\0inside',
  '\0',
  'line\nbreak\r\n{"level":"error"}',
  '\u001b[2J\u001b]0;title\u0007',
  '\u202eright to left',
  '\u2028\u2029',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  "'; DROP TABLE snapshots; --",
  '%s%n%00%2e%2e',
  '"\\',
  '\ufffd',
  '😀'.repeat(40),
  `${'x'.repeat(63)}😀`,
  'lowerdir=/,upperdir=/tmp:a\\,b',
  '*',
  '-rf',
  'default/1/sha256:0123',
] as const;

/** Valid Unicode, so that it arrives as it was sent. */
const wellFormed = fc.string({ unit: 'binary', maxLength: 20 });

/** Keys and names: a few that come again, so that calls meet, and others. */
export const keys = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...MEANINGFUL.slice(1)) },
  { weight: 1, arbitrary: fc.constant('') },
  { weight: 2, arbitrary: wellFormed },
  { weight: 1, arbitrary: fc.constantFrom(255, 4096, 4097, 70_000, 1 << 20).map((n) => 'k'.repeat(n)) },
);

const labelTexts = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...MEANINGFUL) },
  { weight: 2, arbitrary: wellFormed },
  { weight: 1, arbitrary: fc.constantFrom(4000, 4096, 4097, 100_000).map((n) => 'l'.repeat(n)) },
  { weight: 1, arbitrary: fc.constant('😀'.repeat(1500)) },
);

/** Labels, now and then by the thousand. */
export const labels: fc.Arbitrary<Record<string, string>> = fc
  .oneof(
    { weight: 8, arbitrary: fc.array(fc.tuple(labelTexts, labelTexts), { maxLength: 4 }) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom([1000, 300] as const, [4000, 300] as const, [20_000, 10] as const)
        .map(([count, length]) =>
          Array.from({ length: count }, (_, index): [string, string] => [`many${index}`, 'v'.repeat(length)]),
        ),
    },
  )
  .map((pairs) => Object.fromEntries(pairs));

/** Field masks. */
export const masks = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.array(
      fc.constantFrom(...MEANINGFUL, 'labels').map((key) => `labels.${key}`),
      { maxLength: 4 },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.array(fc.constantFrom('labels', 'labels.a', 'name', '', 'labels.'), { maxLength: 4 }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('labels', 'labels.a').map((path) => Array<string>(20_000).fill(path)),
  },
);
