import {
  BASE_HIDDEN,
  FINGERPRINT_DIGEST_BYTES,
  FINGERPRINT_LABEL,
  LONG_PREFIX,
  longPrefixRecord,
  LONG_PREFIX_LENGTH_MAX,
  XATTR_PREFIXES,
} from '../format/xattr';
import { splitXattrName, xattrFilterBit } from '../xattr-name';

/** Bytes of every fingerprint value. */
export const FINGERPRINT_VALUE_BYTES = FINGERPRINT_LABEL.length + FINGERPRINT_DIGEST_BYTES;

/**
 * The xattr that carries fingerprints. The image names it with its one long prefix, which is the whole name
 * (mkfs.erofs 1.9 `--xattr-inode-digest`, Linux 7.0 `inode_share`).
 */
export interface FingerprintXattr {
  readonly fullName: Buffer;
  /** Name index of entries; their own name is empty. */
  readonly nameIndex: number;
  /** See `xattrFilterBit`. */
  readonly filterBit: number;
  /** The long prefix as it stands in the image. */
  readonly prefixRecord: Buffer;
}

/** Number of the long prefix. */
export const FINGERPRINT_PREFIX_ID = 0;

/**
 * @param name full name of the attribute. One without a namespace that EROFS knows is hidden: no getxattr(2) reaches
 * it. Throws RangeError where no long prefix holds it.
 */
export function fingerprintXattr(name: string): FingerprintXattr {
  const fullName = Buffer.from(name, 'utf8');
  const { baseIndex, rest } = splitXattrName(fullName) ?? { baseIndex: BASE_HIDDEN, rest: fullName };
  // The length of the record counts the base index too.
  const length = rest.length + 1;
  const barePrefix =
    baseIndex === BASE_HIDDEN && XATTR_PREFIXES.some(({ prefix }) => name.startsWith(prefix));
  if (barePrefix || rest.length === 0 || length > LONG_PREFIX_LENGTH_MAX || rest.includes(0)) {
    throw new RangeError(`${JSON.stringify(name)} cannot be the name of the fingerprint attribute`);
  }
  const prefixRecord = Buffer.alloc(longPrefixRecord.size + rest.length);
  longPrefixRecord.write(prefixRecord, 0, { length, baseIndex });
  rest.copy(prefixRecord, longPrefixRecord.size);
  return {
    fullName,
    nameIndex: LONG_PREFIX | FINGERPRINT_PREFIX_ID,
    filterBit: xattrFilterBit(baseIndex, rest),
    prefixRecord,
  };
}

/** Value of the attribute for a SHA-256 of 32 bytes. */
export function fingerprintValue(digest: Buffer): Buffer {
  if (digest.length !== FINGERPRINT_DIGEST_BYTES) throw new RangeError(`a SHA-256 of ${digest.length} bytes`);
  return Buffer.concat([Buffer.from(FINGERPRINT_LABEL, 'latin1'), digest]);
}
