import type { EncodedExtent } from './encode-piece';
import type { Spool } from './spool';

/** Two numbers of 32 bits for each extent: its length and, in the lowest bit, whether it is plain; its blocks. */
const RECORD_BYTES = 8;

/** Extents that are read at once. */
const READ_AT_ONCE = 4096;

/** Extents of a compressed file that wait in a spool, side by side. */
export interface SpooledExtents {
  /** Where the first stands in the spool. */
  readonly offset: number;
  readonly count: number;
}

/** Puts extents behind all that is in the spool. */
export function spoolExtents(spool: Spool, extents: readonly EncodedExtent[]): SpooledExtents {
  const records = Buffer.allocUnsafe(extents.length * RECORD_BYTES);
  let at = 0;
  for (const { length, blocks, plain } of extents) {
    records.writeUInt32LE(length * 2 + Number(plain), at);
    records.writeUInt32LE(blocks, at + 4);
    at += RECORD_BYTES;
  }
  return { offset: spool.append(records), count: extents.length };
}

/** The extents in their order; a few are in memory at a time. */
export function* readExtents(
  spool: Spool,
  { offset, count }: SpooledExtents,
): Generator<EncodedExtent, void> {
  for (let first = 0; first < count; first += READ_AT_ONCE) {
    const length = Math.min(READ_AT_ONCE, count - first) * RECORD_BYTES;
    const records = spool.read(offset + first * RECORD_BYTES, length);
    for (let at = 0; at < length; at += RECORD_BYTES) {
      const head = records.readUInt32LE(at);
      yield { length: head >>> 1, blocks: records.readUInt32LE(at + 4), plain: (head & 1) === 1 };
    }
  }
}

/** Where in the spool the extents end. */
export function spooledEnd({ offset, count }: SpooledExtents): number {
  return offset + count * RECORD_BYTES;
}
