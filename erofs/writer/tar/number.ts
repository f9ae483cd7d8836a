/** A field or record that does not hold what it should; whoever knows the place makes a TarError of it. */
export class BadFieldError extends Error {
  override readonly name = 'BadFieldError';
}

/** Bit of the first byte: the rest is a binary number (GNU, star), not octal digits. */
const BINARY = 0x80;

/**
 * A number of a header: octal digits between spaces and NULs (an empty field is 0), or big-endian two's complement
 * behind the bit that says so. Throws BadFieldError on anything else, and beyond 53 bits.
 */
export function decodeNumber(bytes: Buffer): number {
  return ((bytes[0] ?? 0) & BINARY) !== 0 ? decodeBinary(bytes) : decodeOctal(bytes);
}

function decodeBinary(bytes: Buffer): number {
  const bits = BigInt(8 * bytes.length - 1);
  const raw = BigInt(`0x${bytes.toString('hex')}`) & ((1n << bits) - 1n);
  const value = raw >> (bits - 1n) === 1n ? raw - (1n << bits) : raw;
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new BadFieldError(`${value} is beyond every real number here`);
  return number;
}

function decodeOctal(bytes: Buffer): number {
  const text = bytes.toString('latin1').replace(/^[ \0]+/, '');
  const end = text.indexOf('\0');
  const digits = (end < 0 ? text : text.slice(0, end)).trimEnd();
  if (digits === '') return 0;
  if (!/^[0-7]+$/.test(digits)) throw new BadFieldError(`${JSON.stringify(digits)} is no octal number`);
  return Number.parseInt(digits, 8);
}

/** A decimal number of a PAX record: a whole number that is not negative. */
export function decodeDecimal(bytes: Buffer): number {
  const text = bytes.toString('latin1');
  const value = /^[0-9]+$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value)) throw new BadFieldError(`${shown(text)} is no number that fits here`);
  return value;
}

/** A text of the stream for a message. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}
