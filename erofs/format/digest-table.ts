import { bytes, defineRecord, u32, u64 } from './record';

export const DIGEST_TABLE_MAGIC = Buffer.from('ishunits', 'latin1');
export const DIGEST_TABLE_VERSION = 1;

/**
 * The start of a digest table, a file of this program's own beside an image. `count` digests follow it: the SHA-256 of
 * each unit of the image file, whatever the image keeps there, in order. All units are of one size, but the last one ends
 * with the image.
 */
export const digestTableHeader = defineRecord('digest table', 32, {
  magic: bytes(0, 8),
  version: u32(8),
  /** Bytes; a power of two from DIGEST_UNIT_MIN to DIGEST_UNIT_MAX. */
  unitSize: u32(12),
  /** Bytes of the image file. */
  imageLength: u64(16),
  /** Units of the image: `imageLength` over `unitSize`, rounded up. */
  count: u64(24),
});

/** Bytes of a unit's digest. */
export const UNIT_DIGEST_BYTES = 32;

/** Of direct I/O, which reads whole units. */
export const DIGEST_UNIT_MIN = 4096;
export const DIGEST_UNIT_MAX = 256 * 1024;

/**
 * The unit of tables that are written here. Measured with 4, 16 and 64 KiB (Node 20, a CPU with SHA instructions): the
 * table takes 8, 2 and 0.5 MiB for 1 GiB of image; a cold read of 4 KiB anywhere takes 91, 107 and 180 µs together with
 * its digest; and hashing runs at 1.3, 1.75 and 1.85 GB/s.
 */
export const DIGEST_UNIT = 16 * 1024;
