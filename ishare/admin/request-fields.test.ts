import fc from 'fast-check';
import { AdminError } from './admin-error';
import {
  checkedDomain,
  checkedFingerprint,
  checkedList,
  checkedPath,
  checkedSnapshot,
  quoted,
} from './request-fields';

/** The message of what must be refused. */
function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(AdminError);
    expect((error as AdminError).code).toBe('INVALID_ARGUMENT');
    return (error as AdminError).message;
  }
  throw new Error('it was taken');
}

const anything = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'binary', minLength: 100, maxLength: 5000 }),
);

test('a quoted text is short and printable, whatever it was', () => {
  fc.assert(
    fc.property(anything, (text) => {
      expect(quoted(text)).toMatch(/^[\x20-\x7e]{2,600}$/);
    }),
  );
});

test('whatever is refused is told in a printable line', () => {
  fc.assert(
    fc.property(anything, (text) => {
      for (const check of [checkedDomain, checkedFingerprint, checkedPath, checkedSnapshot]) {
        try {
          check(text);
        } catch (error) {
          expect((error as Error).message).toMatch(/^[\x20-\x7e]{1,700}$/);
        }
      }
    }),
  );
});

test.each(['', '..', 'a/b', 'a\0b', ' a', '-a', 'x'.repeat(64), 'ä'])('%j is no name of a domain', (name) => {
  expect(refusal(() => checkedDomain(name))).toContain('cannot be the name of a domain');
});

test.each([
  ['sha256:0123ABCDef', '0123abcdef'],
  ['01234567', '01234567'],
  ['f'.repeat(64), 'f'.repeat(64)],
])('the digits of %s are %s', (text, digits) => {
  expect(checkedFingerprint(text)).toBe(digits);
});

test.each(['0123456', 'sha256:', '0'.repeat(65), 'sha512:01234567', '0123456g', '../01234567'])(
  '%j is no fingerprint',
  (text) => {
    refusal(() => checkedFingerprint(text));
  },
);

test('names and paths have no NUL, are not empty, and have 4096 bytes at most', () => {
  for (const check of [checkedSnapshot, checkedPath]) {
    expect(check('ä'.repeat(2048))).toHaveLength(2048);
    for (const text of ['', 'a\0', 'ä'.repeat(2049)]) refusal(() => check(text));
  }
});

test('lists have an end', () => {
  expect(checkedList(Array.from({ length: 100_000 }, () => 'x'))).toHaveLength(100_000);
  refusal(() => checkedList(Array.from({ length: 100_001 }, () => 'x')));
});
