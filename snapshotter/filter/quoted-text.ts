/**
 * The value of a quoted word that the scanner accepted. The escapes are those of a Go string literal; the quotes `/`
 * and `|` work like `"`. Returns undefined for what a Go string literal does not allow, such as an octal
 * escape above \377.
 */
export function unquote(quoted: string): string | undefined {
  const quote = quoted.charAt(0);
  const characters = Array.from(quoted.slice(1, -1));
  const bytes: Buffer[] = [];
  for (let index = 0; index < characters.length;) {
    const character = characters[index] ?? '';
    if (character === quote) return undefined;
    if (character !== '\\') {
      bytes.push(Buffer.from(character));
      index += 1;
      continue;
    }
    const escape = readEscape(characters, index + 1, quote);
    if (escape === undefined) return undefined;
    bytes.push(escape.bytes);
    index = escape.end;
  }
  return decode(Buffer.concat(bytes));
}

const controlCharacters: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };
const hexLengths: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const LAST_CODE_POINT = 0x10ffff;

interface Escape {
  readonly bytes: Buffer;
  /** Index behind the escape. */
  readonly end: number;
}

/** Reads what follows a backslash at `start`. \x and octal escapes give one byte, \u and \U a code point. */
function readEscape(characters: readonly string[], start: number, quote: string): Escape | undefined {
  const letter = characters[start] ?? '';
  const control = controlCharacters[letter];
  if (control !== undefined) return { bytes: Buffer.of(control), end: start + 1 };
  if (letter === '\\' || letter === quote) return { bytes: Buffer.from(letter), end: start + 1 };
  const length = hexLengths[letter];
  if (length !== undefined) {
    const end = start + 1 + length;
    const number = parseInt(characters.slice(start + 1, end).join(''), 16);
    if (letter === 'x') return { bytes: Buffer.of(number), end };
    return number > LAST_CODE_POINT ? undefined : { bytes: Buffer.from(String.fromCodePoint(number)), end };
  }
  const end = start + 3;
  const number = parseInt(characters.slice(start, end).join(''), 8);
  return Number.isNaN(number) || number > 255 ? undefined : { bytes: Buffer.of(number), end };
}

/** Bytes that are no UTF-8 become a text with a lone surrogate, which equals no stored text. */
function decode(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? text : `\ud800${bytes.toString('latin1')}`;
}
