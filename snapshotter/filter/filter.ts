import { type Selector, parseFilter } from './parser';

/** Looks up a field of the object that is tested; undefined where it has none by that path. */
export type FieldLookup = (path: readonly string[]) => string | undefined;

/** Whether an object passes. */
export type Filter = (lookup: FieldLookup) => boolean;

/**
 * Compiles filter expressions. An object passes when one expression matches in full; with no expression at all every
 * object passes. Throws InvalidArgumentError.
 */
export function compileFilters(expressions: readonly string[]): Filter {
  if (expressions.length === 0) return () => true;
  const alternatives = expressions.map(parseFilter);
  return (lookup) =>
    alternatives.some((selectors) =>
      selectors.every((selector) => selects(selector, lookup(selector.field))),
    );
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
