import { XXHash32 } from 'xxhash-addon';
import { XATTR_FILTER_SEED, XATTR_PREFIXES } from './format/xattr';

/** A full attribute name taken apart as inodes hold it. */
export interface SplitXattrName {
  /** Index of XATTR_PREFIXES. */
  readonly baseIndex: number;
  /** What follows the base prefix; where long prefixes are used, their infix is its beginning. */
  readonly rest: Buffer;
}

const prefixes = XATTR_PREFIXES.map(({ index, prefix, whole }) => ({
  index,
  whole,
  bytes: Buffer.from(prefix),
}));
const prefixBytes = new Map(prefixes.map(({ index, bytes }) => [index, bytes]));

/** Takes a full name apart, or gives undefined where the format has no prefix for it (or it is nothing but one). */
export function splitXattrName(name: Buffer): SplitXattrName | undefined {
  for (const { index, whole, bytes } of prefixes) {
    if (name.length < bytes.length || bytes.compare(name, 0, bytes.length) !== 0) continue;
    if (whole !== (name.length === bytes.length)) continue;
    return { baseIndex: index, rest: name.subarray(bytes.length) };
  }
  return undefined;
}

/** The bytes that a base index stands for, or undefined for an index that the format does not define. */
export function xattrPrefixBytes(baseIndex: number): Buffer | undefined {
  return prefixBytes.get(baseIndex);
}

const hashers = new Map<number, XXHash32>();

/**
 * The bit of a name filter (0 to 31) that a name clears: low bits of its xxh32, seeded with the base index
 * (fs/erofs/xattr.c, Linux 6.6). BASE_HIDDEN counts like any other index.
 */
export function xattrFilterBit(baseIndex: number, rest: Buffer): number {
  let hasher = hashers.get(baseIndex);
  if (hasher === undefined) {
    const seed = Buffer.alloc(4);
    seed.writeUInt32BE(XATTR_FILTER_SEED + baseIndex);
    hasher = new XXHash32(seed);
    hashers.set(baseIndex, hasher);
  }
  hasher.reset();
  hasher.update(rest);
  const digest = hasher.digest();
  return digest.readUInt8(digest.length - 1) & 31;
}
