import { bytes, defineRecord, u16, u32 } from './record';

/** struct erofs_deviceslot; the superblock's `deviceTableSlot` counts in this size. */
export const deviceSlotRecord = defineRecord('device slot', 128, {
  tag: bytes(0, 64),
  blocksLow: u32(64),
  /** First block of this device when all devices are seen as one; 0: it is not part of that. */
  uniformAddressLow: u32(68),
  /** The high halves count only with 48BIT. */
  blocksHigh: u16(72),
  uniformAddressHigh: u16(74),
});
