/**
 * Words of containerd's filter language (pkg/filters, containerd 1.6 to 2.x). The scanner has a memory of one bit:
 * after an operator the next word is a value, which may hold nearly anything, instead of a field.
 */
export type TokenKind = 'field' | 'value' | 'quoted' | 'separator' | 'operator' | 'end' | 'illegal' | 'other';

export interface Token {
  readonly kind: TokenKind;
  /** The text as written, quotes included; what is wrong, for an illegal one. */
  readonly text: string;
  /** Where it begins, in characters (code points). */
  readonly position: number;
}

/** `peek()` past the last character. */
export const END = '';

const fieldCharacter = /^[A-Za-z0-9_-]$/;
const valueCharacter = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u;
const space = /^\p{White_Space}$/u;
const simpleEscapes = 'abfnrtv\\';
const digitEscapes: Readonly<Record<string, readonly [digit: RegExp, count: number]>> = {
  x: [/^[0-9a-fA-F]$/, 2],
  u: [/^[0-9a-fA-F]$/, 4],
  U: [/^[0-9a-fA-F]$/, 8],
};

export class Scanner {
  readonly #characters: readonly string[];
  #position = 0;
  #expectsValue = false;

  constructor(input: string) {
    this.#characters = Array.from(input);
  }

  get position(): number {
    return this.#position;
  }

  /** The next character, white space included, without taking it. */
  peek(): string {
    return this.#characters[this.#position] ?? END;
  }

  /** Takes the next word; white space before it is skipped. */
  scan(): Token {
    while (space.test(this.peek())) this.#position += 1;
    const position = this.#position;
    const first = this.#take();
    const token = (kind: TokenKind): Token => ({ kind, text: this.#textFrom(position), position });
    if (first === END) return token('end');
    if (isBroken(first)) return { kind: 'illegal', text: 'a character that text cannot hold', position };
    if (first === '"' || first === '/' || first === '|') {
      const problem = this.#skipQuoted(first);
      return problem === undefined ? token('quoted') : { kind: 'illegal', text: problem, position };
    }
    if (first === ',' || first === '.') {
      this.#expectsValue = false;
      return token('separator');
    }
    if (isOperatorCharacter(first)) {
      while (isOperatorCharacter(this.peek())) this.#position += 1;
      this.#expectsValue = true;
      return token('operator');
    }
    if (this.#expectsValue) {
      this.#expectsValue = false;
      while (this.peek() !== ',' && valueCharacter.test(this.peek()) && !isBroken(this.peek()))
        this.#position += 1;
      return token('value');
    }
    if (fieldCharacter.test(first)) {
      while (fieldCharacter.test(this.peek())) this.#position += 1;
      return token('field');
    }
    return token('other');
  }

  #take(): string {
    const character = this.peek();
    if (character !== END) this.#position += 1;
    return character;
  }

  #textFrom(position: number): string {
    return this.#characters.slice(position, this.#position).join('');
  }

  /** Moves behind the closing quote. A bad escape is reported once the literal has ended, as containerd does. */
  #skipQuoted(quote: string): string | undefined {
    let problem: string | undefined;
    for (;;) {
      const character = this.#take();
      if (character === quote) return problem;
      if (character === '\n' || character === END || isBroken(character))
        return 'a quoted text that does not end';
      if (character === '\\') problem = this.#skipEscape(quote) ?? problem;
    }
  }

  #skipEscape(quote: string): string | undefined {
    const character = this.peek();
    if (character === quote || (character !== END && simpleEscapes.includes(character))) {
      this.#position += 1;
      return undefined;
    }
    if (/^[0-7]$/.test(character)) return this.#skipDigits(/^[0-7]$/, 3);
    const digits = digitEscapes[character];
    if (digits === undefined) return 'an unknown escape';
    this.#position += 1;
    return this.#skipDigits(...digits);
  }

  #skipDigits(digit: RegExp, count: number): string | undefined {
    for (let index = 0; index < count; index++) {
      if (!digit.test(this.peek())) return 'a numeric escape with too few digits';
      this.#position += 1;
    }
    return undefined;
  }
}

function isOperatorCharacter(character: string): boolean {
  return character === '=' || character === '!' || character === '~';
}

/** NUL, and the replacement character that stands for bytes that are no UTF-8. */
function isBroken(character: string): boolean {
  return character === '\0' || character === '\ufffd' || /^\p{Surrogate}$/u.test(character);
}
