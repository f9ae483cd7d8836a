import { isDomainName } from '../../config/schema';
import { AdminError } from './admin-error';

/** Characters of a refused text that errors and the log repeat. */
const QUOTED_MAX = 80;
/** Names of snapshots, and paths as the kernel takes them (PATH_MAX), in bytes. */
const NAME_BYTES_MAX = 4096;
const PREFIX_DIGITS = 8;
/** Entries of a list. */
const LIST_MAX = 100_000;

/** A text from outside for a message: short, in quotes, with nothing that could steer a terminal or break a line. */
export function quoted(text: string): string {
  const start = text.length > QUOTED_MAX ? text.slice(0, QUOTED_MAX) : text;
  const printable = start.replace(/[^\x20-\x7e]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return text.length > QUOTED_MAX ? `"${printable}..." (${text.length} characters)` : `"${printable}"`;
}

/** Domains have short and simple names; whatever else comes is refused before anybody looks for it. */
export function checkedDomain(name: string): string {
  if (isDomainName(name)) return name;
  throw new AdminError('INVALID_ARGUMENT', `${quoted(name)} cannot be the name of a domain`);
}

/** The key or name of a snapshot. */
export function checkedSnapshot(name: string): string {
  return checkedText('a snapshot', name);
}

/** A path in the tree of a container. */
export function checkedPath(path: string): string {
  return checkedText('a path', path);
}

function checkedText(what: string, text: string): string {
  if (text === '') throw new AdminError('INVALID_ARGUMENT', `${what} cannot be empty`);
  if (!text.includes('\0') && Buffer.byteLength(text) <= NAME_BYTES_MAX) return text;
  throw new AdminError(
    'INVALID_ARGUMENT',
    `${quoted(text)} cannot be ${what}: it has a NUL in it or more than ${NAME_BYTES_MAX} bytes`,
  );
}

/** A list that is not too long. */
export function checkedList(list: readonly string[]): readonly string[] {
  if (list.length <= LIST_MAX) return list;
  throw new AdminError('INVALID_ARGUMENT', `a list of ${list.length} is too long: give ${LIST_MAX} at most`);
}

/** The digits of a fingerprint, or the first of them. */
export function checkedFingerprint(text: string): string {
  const digits = text.replace(/^sha256:/, '').toLowerCase();
  if (/^[0-9a-f]{8,64}$/.test(digits)) return digits;
  throw new AdminError(
    'INVALID_ARGUMENT',
    `${quoted(text)} is no fingerprint: 64 hexadecimal digits, or at least the first ${PREFIX_DIGITS} of them`,
  );
}
