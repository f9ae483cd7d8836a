import { RE2JS } from 're2js';
import { quoted } from '../../ishare/admin/request-fields';
import { InvalidArgumentError } from '../errors';
import { MAX_PATTERN_SIZE, patternSize } from './pattern-size';
import { unquote } from './quoted-text';
import { END, Scanner, type Token } from './scanner';

export type Selector =
  | { readonly field: readonly string[]; readonly operator: 'present' }
  | { readonly field: readonly string[]; readonly operator: 'equal' | 'not-equal'; readonly value: string }
  | { readonly field: readonly string[]; readonly operator: 'matches'; readonly pattern: RE2JS };

type Operator = Exclude<Selector['operator'], 'present'>;

const operators: Readonly<Record<string, Operator>> = { '==': 'equal', '!=': 'not-equal', '~=': 'matches' };

/**
 * Reads one filter expression: selectors joined by commas, all of which must hold.
 *
 *     filter   = selector *( "," selector )
 *     selector = field [ ( "==" / "!=" / "~=" ) value ]
 *     field    = part *( "." part )          part: a word of [A-Za-z0-9_-], or quoted
 *
 * `/` and `|` quote values of `~=` only. White space may stand before an operator, a value, or a part, and nowhere
 * else. Throws InvalidArgumentError, which names the place. The empty expression is no selector: everything matches.
 */
export function parseFilter(expression: string): Selector[] {
  if (expression === '') return [];
  return new Parser(expression).parse();
}

class Parser {
  readonly #scanner: Scanner;

  constructor(readonly expression: string) {
    this.#scanner = new Scanner(expression);
  }

  parse(): Selector[] {
    const selectors = [this.#selector()];
    for (;;) {
      const next = this.#scanner.peek();
      if (next === END) return selectors;
      if (next !== ',') throw this.#error(this.#scanner.position, 'unexpected input');
      this.#scanner.scan();
      selectors.push(this.#selector());
    }
  }

  #selector(): Selector {
    const field = this.#field();
    const next = this.#scanner.peek();
    if (next === END || next === ',') return { field, operator: 'present' };
    const operator = this.#operator();
    const { value, position } = this.#value(operator);
    if (operator !== 'matches') return { field, operator, value };
    return { field, operator, pattern: this.#pattern(value, position) };
  }

  #pattern(text: string, position: number): RE2JS {
    if (patternSize(text) > MAX_PATTERN_SIZE)
      throw this.#error(position, 'a regular expression that is too large');
    try {
      return RE2JS.compile(text);
    } catch (error) {
      throw this.#error(position, 'bad regular expression', error);
    }
  }

  #field(): string[] {
    const parts = [this.#part()];
    while (this.#scanner.peek() === '.') {
      this.#scanner.scan();
      parts.push(this.#part());
    }
    return parts;
  }

  #part(): string {
    const token = this.#scanner.scan();
    if (token.kind === 'field') return token.text;
    if (token.kind === 'quoted') return this.#unquote(token, false);
    throw this.#unexpected(token, 'a field or quoted text');
  }

  #operator(): Operator {
    const token = this.#scanner.scan();
    const operator = token.kind === 'operator' ? operators[token.text] : undefined;
    if (operator === undefined) throw this.#unexpected(token, 'an operator (==, != or ~=)');
    return operator;
  }

  #value(operator: Operator): { value: string; position: number } {
    const token = this.#scanner.scan();
    const { position } = token;
    if (token.kind === 'value' || token.kind === 'field') return { value: token.text, position };
    if (token.kind === 'quoted') return { value: this.#unquote(token, operator === 'matches'), position };
    throw this.#unexpected(token, 'a value or quoted text');
  }

  #unquote(token: Token, allowAlternativeQuotes: boolean): string {
    if (!allowAlternativeQuotes && !token.text.startsWith('"')) {
      throw this.#error(token.position, `${token.text.charAt(0)} quotes regular expressions only`);
    }
    const text = unquote(token.text);
    if (text === undefined) throw this.#error(token.position, 'an escape that is not allowed');
    return text;
  }

  #unexpected(token: Token, wanted: string): InvalidArgumentError {
    return token.kind === 'illegal'
      ? this.#error(token.position, token.text)
      : this.#error(token.position, `expected ${wanted}`);
  }

  #error(position: number, problem: string, cause?: unknown): InvalidArgumentError {
    return new InvalidArgumentError(
      `filter ${quoted(this.expression)}, character ${position + 1}: ${problem}`,
      cause === undefined ? undefined : { cause },
    );
  }
}
