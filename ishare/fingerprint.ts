import { fingerprintDigest } from '../erofs/fingerprint-digest';

/**
 * A fingerprint, as the 64 hexadecimal digits of its SHA-256: the name of a dedup inode in its mount. In images it is
 * what mkfs.erofs writes and the kernel compares, the seven characters "sha256:" and the raw digest. A string, and
 * not the bytes, because the bytes that an image gives are a view of its cached metadata and would keep that in
 * memory.
 */
export type Fingerprint = string & { readonly __brand: 'Fingerprint' };

/**
 * The xattr's value as a fingerprint, or undefined where it is none: another length or algorithm is not. One fixed
 * length keeps `fingerprint followed by domain id` free of double meanings.
 */
export function parseFingerprint(value: Buffer): Fingerprint | undefined {
  return fingerprintDigest(value)?.toString('hex') as Fingerprint | undefined;
}
