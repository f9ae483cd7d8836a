import type { Timestamp, Xattr } from '../tree';
import type { TarEntry } from './entry';

const TRUSTED = Buffer.from('trusted.');

/** The last second that fits in 63 bits of nanoseconds: containerd takes what is later for the beginning of 1970. */
const LAST_SECOND = 9_223_372_036;

const BEGINNING: Timestamp = { seconds: 0, nanoseconds: 0 };

/**
 * An entry with the attributes that containerd gives to its file (pkg/archive: createTarFile, setxattr and boundTime):
 * `trusted.` attributes are not set, and times that Go cannot count in nanoseconds since 1970 become the beginning of 1970.
 */
export function asContainerd<Entry extends TarEntry>(entry: Entry): Entry {
  const { xattrs, mtime } = entry.attributes;
  const attributes = { ...entry.attributes, xattrs: xattrs.filter(isUntrusted), mtime: bounded(mtime) };
  return { ...entry, attributes };
}

function isUntrusted({ name }: Xattr): boolean {
  return !name.subarray(0, TRUSTED.length).equals(TRUSTED);
}

function bounded(time: Timestamp): Timestamp {
  return time.seconds < 0 || time.seconds > LAST_SECOND ? BEGINNING : time;
}
