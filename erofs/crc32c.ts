/** CRC-32C (Castagnoli), bits reflected. */
const POLYNOMIAL = 0x82f63b78;

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let register = byte;
  for (let bit = 0; bit < 8; bit++) register = register & 1 ? (register >>> 1) ^ POLYNOMIAL : register >>> 1;
  return register;
});

/**
 * The CRC-32C register after `data`, without the final inversion, as the kernel's crc32c() gives it: results can be
 * fed back in as `register`. A table of our own, because Node's zlib has only the other polynomial and
 * xxhash-addon no CRC at all; one block an image is all that goes through it.
 */
export function crc32c(data: Uint8Array, register = 0xffff_ffff): number {
  let value = register;
  for (const byte of data) value = (value >>> 8) ^ (table[(value ^ byte) & 0xff] ?? 0);
  return value >>> 0;
}
