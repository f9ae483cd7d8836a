import { isUtf8 } from 'node:buffer';
import { isatty } from 'node:tty';
import { visibleText } from '../../visible-text';

const STANDARD_OUTPUT = 1;

/** A name for a person to read: control characters and bytes that are no UTF-8 are written as escapes. */
export function visibleName(name: Buffer): string {
  if (isUtf8(name)) return visibleText(name.toString('utf8'));
  let shown = '';
  for (let at = 0; at < name.length;) {
    const length = characterLength(name, at);
    if (length === 0) shown += `\\x${name.readUInt8(at).toString(16).padStart(2, '0')}`;
    else shown += visibleText(name.toString('utf8', at, at + length));
    at += Math.max(1, length);
  }
  return shown;
}

/** A name for standard output: as it is where a program reads it, visible on a terminal. */
export function outputName(name: Buffer): Buffer {
  return isatty(STANDARD_OUTPUT) ? Buffer.from(visibleName(name)) : name;
}

/** A member of a JSON object that holds a name: `KEY`, or `KEY_base64` where it is no UTF-8. */
export function jsonName(key: string, name: Buffer): Readonly<Record<string, string>> {
  return isUtf8(name) ? { [key]: name.toString('utf8') } : { [`${key}_base64`]: name.toString('base64') };
}

/** Bytes of the UTF-8 character that begins at `at`; 0: none does. */
function characterLength(name: Buffer, at: number): number {
  for (let length = 1; length <= 4 && at + length <= name.length; length++) {
    if (isUtf8(name.subarray(at, at + length))) return length;
  }
  return 0;
}
