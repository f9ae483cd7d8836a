import { FINGERPRINT_DIGEST_BYTES, FINGERPRINT_LABEL } from './format/xattr';

const label = Buffer.from(FINGERPRINT_LABEL, 'latin1');

/** The SHA-256 in a fingerprint's value, a view; undefined where the value has another form. */
export function fingerprintDigest(value: Buffer): Buffer | undefined {
  if (value.length !== label.length + FINGERPRINT_DIGEST_BYTES) return undefined;
  return value.subarray(0, label.length).equals(label) ? value.subarray(label.length) : undefined;
}
