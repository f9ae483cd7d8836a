import { parse } from 'smol-toml';

/**
 * Line of a TOML text, counted from 1, on which the value of a key ends; undefined where the text has no such key. The
 * parser does not tell, so it is asked for one line more each time until the key is there: whatever it makes of quotes,
 * dots and tables, this agrees with it. `text` must be valid as a whole.
 */
export function lineOfKey(text: string, path: readonly PropertyKey[]): number | undefined {
  const lines = text.split('\n');
  for (let count = 1; count <= lines.length; count += 1) {
    if (hasKey(parseStart(lines.slice(0, count).join('\n')), path)) return count;
  }
  return undefined;
}

/** Undefined for lines that end in the middle of a value. */
function parseStart(text: string): unknown {
  try {
    return parse(text);
  } catch {
    // The whole text is valid, so this start of it is merely not complete.
    return undefined;
  }
}

function hasKey(value: unknown, path: readonly PropertyKey[]): boolean {
  let inner = value;
  for (const key of path) {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, key)) return false;
    inner = (inner as Record<PropertyKey, unknown>)[key];
  }
  return inner !== undefined;
}
