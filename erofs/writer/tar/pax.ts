import { BadFieldError, shown } from './number';

/** A record of an extended header. */
export interface PaxRecord {
  /** One character for each byte (latin1). */
  readonly key: string;
  /** Bytes as they are; empty: the record takes back what an earlier one said. */
  readonly value: Buffer;
}

const SPACE = 0x20;
const NEWLINE = 0x0a;
const EQUALS = 0x3d;
/** Digits of a record's length: more than any header has. */
const LENGTH_DIGITS_MAX = 10;

/** Values that C programs read: a NUL would cut them, differently for each reader. */
const TEXTS = new Set(['path', 'linkpath', 'GNU.sparse.name']);

/**
 * Takes an extended header apart: records of the form `LENGTH KEY=VALUE\n`, where LENGTH counts the whole record
 * (pax(1), "pax Extended Header"). Values are views of `bytes`. Throws BadFieldError.
 */
export function parsePaxRecords(bytes: Buffer): PaxRecord[] {
  const records: PaxRecord[] = [];
  for (let start = 0; start < bytes.length;) {
    const space = bytes.indexOf(SPACE, start);
    const digits =
      space < 0
        ? ''
        : bytes.subarray(start, Math.min(space, start + LENGTH_DIGITS_MAX + 1)).toString('latin1');
    const length = /^[0-9]+$/.test(digits) && digits.length <= LENGTH_DIGITS_MAX ? Number(digits) : 0;
    const end = start + length;
    // At least a key of one byte, its equals sign and the newline.
    if (length < digits.length + 4 || end > bytes.length || bytes[end - 1] !== NEWLINE) {
      throw new BadFieldError(`a record of an extended header has no length (byte ${start} of the header)`);
    }
    const equals = bytes.indexOf(EQUALS, space + 1);
    if (equals < 0 || equals >= end) {
      throw new BadFieldError(`a record of an extended header has no value (byte ${start} of the header)`);
    }
    const key = bytes.toString('latin1', space + 1, equals);
    const value = bytes.subarray(equals + 1, end - 1);
    if (key === '' || key.includes('\0') || (TEXTS.has(key) && value.includes(0))) {
      throw new BadFieldError(`the record ${shown(key)} of an extended header has a NUL in it, or no name`);
    }
    records.push({ key, value });
    start = end;
  }
  return records;
}
