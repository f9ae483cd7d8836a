import { hash } from 'node:crypto';
import { UNIT_DIGEST_BYTES } from '../format/digest-table';

/** The SHA-256 of every unit of `bytes`, one after another. The last unit may be shorter than the others. */
export function digestUnits(bytes: Buffer, unitSize: number): Buffer {
  const digests = Buffer.allocUnsafeSlow(Math.ceil(bytes.length / unitSize) * UNIT_DIGEST_BYTES);
  for (let start = 0, at = 0; start < bytes.length; start += unitSize, at += UNIT_DIGEST_BYTES) {
    // Not createHash: its objects hold memory of OpenSSL until they are collected, and there are very many units.
    hash('sha256', bytes.subarray(start, start + unitSize), 'buffer').copy(digests, at);
  }
  return digests;
}
