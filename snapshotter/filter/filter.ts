import { InvalidArgumentError } from '../errors';
import { type Selector, parseFilter } from './parser';

/** Looks up a field of the object that is tested; undefined where it has none by that path. */
export type FieldLookup = (path: readonly string[]) => string | undefined;

/** Whether an object passes. */
export type Filter = (lookup: FieldLookup) => boolean;

/** Bounds of one call: parsing and matching keep everybody else waiting. containerd has none but that of a message. */
const MAX_EXPRESSIONS = 1000;
const MAX_CHARACTERS = 32 * 1024;
/** What the tests of one filter may take together (ms). */
const MAX_TEST_MS = 2000;

/**
 * Compiles filter expressions. An object passes when one expression matches in full; with no expression at all every
 * object passes. Throws InvalidArgumentError, the filter itself too, where it has taken too long.
 */
export function compileFilters(expressions: readonly string[]): Filter {
  if (expressions.length === 0) return () => true;
  const characters = expressions.reduce((sum, { length }) => sum + length, 0);
  if (expressions.length > MAX_EXPRESSIONS || characters > MAX_CHARACTERS) {
    throw new InvalidArgumentError(
      `${expressions.length} filters of ${characters} characters, more than ${MAX_EXPRESSIONS} or ${MAX_CHARACTERS}`,
    );
  }
  const alternatives = expressions.map(parseFilter);
  const matches: Filter = (lookup) =>
    alternatives.some((selectors) =>
      selectors.every((selector) => selects(selector, lookup(selector.field))),
    );
  return withinTime(matches);
}

function withinTime(filter: Filter): Filter {
  let spentMs = 0;
  return (lookup) => {
    if (spentMs > MAX_TEST_MS) throw new InvalidArgumentError('the filters take too long to match');
    const start = performance.now();
    try {
      return filter(lookup);
    } finally {
      spentMs += performance.now() - start;
    }
  };
}

/** A missing field equals nothing, but differs from and is matched as the empty text: containerd's rules. */
function selects(selector: Selector, value: string | undefined): boolean {
  switch (selector.operator) {
    case 'present':
      return value !== undefined;
    case 'equal':
      return value === selector.value;
    case 'not-equal':
      return (value ?? '') !== selector.value;
    case 'matches':
      return selector.pattern.test(value ?? '');
  }
}
