import fc from 'fast-check';

/** Regular expressions that keep careless engines busy, or become very large. */
const patterns = fc.oneof(
  fc.constantFrom(
    '(a+)+$',
    '(a|aa)+$',
    '(.*)*b',
    '(x+x+)+y',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
    '(((a{30}){30}){30})',
    '(.{1000})(.{1000})(.{1000})',
    '(?i)\\pL{1000}',
    '[[:alpha:]]+\\Q{1000}\\E',
    'a{0,1000000}',
  ),
  fc.nat({ max: 40_000 }).map((depth) => '('.repeat(depth) + ')'.repeat(depth)),
  fc.nat({ max: 4000 }).map((count) => '(.*)'.repeat(count) + 'b'),
  fc.nat({ max: 1200 }).map((count) => '(a*)*'.repeat(count) + 'b'),
  fc.stringMatching(/^[ab().*+?{}0-9,|^$\\[\]-]{0,30}$/),
);

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;

const fields = fc.constantFrom(
  'name',
  'kind',
  'parent',
  'labels',
  'labels.long',
  'labels."__proto__"',
  'a.b.c.d',
);

const filters = fc.oneof(
  fc.tuple(fields, patterns).map(([field, pattern]) => `${field}~=${quoted(pattern)}`),
  fc
    .tuple(fields, fc.constantFrom('==', '!=', '~=', '=', '~', ''), fc.string({ maxLength: 10 }))
    .map((parts) => parts.join('')),
  fc
    .array(
      fc.constantFrom(
        'name',
        'labels',
        '.',
        ',',
        '==',
        '!=',
        '~=',
        '"',
        '/',
        '|',
        '\\',
        'x',
        '[',
        '(',
        '\0',
        '牛',
      ),
    )
    .map((parts) => parts.join('')),
  fc
    .constantFrom('.', ',', '=', '"', 'name,', 'labels.', '\\')
    .chain((part) => fc.constantFrom(10, 1000, 100_000).map((count) => part.repeat(count))),
);

/** Twice what gRPC lets a message have: more would only keep the client busy. */
const MOST_CHARACTERS = 8 << 20;

function repeated(filter: string, times: number): string[] {
  return Array<string>(Math.min(times, Math.ceil(MOST_CHARACTERS / (filter.length + 1)))).fill(filter);
}

/** The filters of one List call. */
export const filterLists = fc.oneof(
  { weight: 8, arbitrary: fc.array(filters, { maxLength: 3 }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(filters, fc.constantFrom(100, 3000))
      .map(([filter, times]) => repeated(filter, times)),
  },
);
