import { addressOf } from './libc';

/** Block devices and file systems want O_DIRECT buffers, offsets and lengths on this boundary (bytes). */
export const DIRECT_IO_ALIGNMENT = 4096;

/** A zero-filled buffer whose first byte lies on a page boundary, as O_DIRECT demands. */
export function alignedBuffer(length: number, alignment = DIRECT_IO_ALIGNMENT): Buffer {
  const spacious = Buffer.alloc(length + alignment);
  const excess = Number(addressOf(spacious) % BigInt(alignment));
  const start = excess === 0 ? 0 : alignment - excess;
  return spacious.subarray(start, start + length);
}
