import type { Xattr } from '../tree';
import { BadFieldError, shown } from './number';
import type { PaxRecord } from './pax';

/** Longest name that Linux has (bytes; include/uapi/linux/limits.h). */
const XATTR_NAME_MAX = 255;

/** How programs write extended attributes as PAX records. */
const FORMS: readonly {
  readonly prefix: string;
  /** From the rest of the key; latin1. */
  readonly name: (encoded: string) => string;
  readonly value: (encoded: Buffer) => Buffer;
}[] = [
  {
    // bsdtar writes both forms of each attribute; they say the same, so that the order does not matter.
    prefix: 'LIBARCHIVE.xattr.',
    name: (encoded) =>
      encoded.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      ),
    value: (encoded) => Buffer.from(encoded.toString('latin1'), 'base64'),
  },
  {
    // star, GNU tar, Go and bsdtar: the value as it is. A key cannot hold an equals sign: GNU tar writes %3D, and %25
    // for the percent sign that this needs.
    prefix: 'SCHILY.xattr.',
    name: (encoded) => encoded.replace(/%3D/g, '=').replace(/%25/g, '%'),
    value: (encoded) => encoded,
  },
];

/** The extended attribute that a record holds, or undefined where it is about something else. Throws BadFieldError. */
export function xattrOfRecord(record: PaxRecord): Xattr | undefined {
  const form = FORMS.find(({ prefix }) => record.key.startsWith(prefix));
  if (form === undefined) return undefined;
  const name = Buffer.from(form.name(record.key.slice(form.prefix.length)), 'latin1');
  if (name.length < 1 || name.length > XATTR_NAME_MAX || name.includes(0)) {
    throw new BadFieldError(`${shown(record.key)} names no extended attribute`);
  }
  return { name, value: form.value(record.value) };
}
