/**
 * Numbers of this format that must not be mixed: each has its own unit. All are whole, not negative and below
 * 2^53, so that they are exact in a JavaScript number.
 */
declare const unit: unique symbol;

type Branded<Unit extends string> = number & { readonly [unit]: Unit };

/**
 * Node number: where an inode lies, in units of 32 bytes. On disk it has 64 bits, of which bit 63 says that the
 * inode lies in the metabox file; here that bit is METABOX_NID (2^52), so that a nid stays an exact number.
 */
export type Nid = Branded<'nid'>;

/** Number of a file system block (of `1 << blkszbits` bytes). At most 48 bits. */
export type BlockAddress = Branded<'block'>;

/** Position in bytes from the start of the image (or of the metabox file). */
export type ByteOffset = Branded<'byte'>;

/** Stands for bit 63 of a nid on disk. */
export const METABOX_NID = 2 ** 52;

/** Largest value of a nid without its metabox bit: 32 times this is still an exact byte offset. */
export const MAX_NID = 2 ** 48 - 1;

/** `value` as a nid; bit METABOX_NID may be set. */
export function toNid(value: number): Nid {
  if (!isNid(value)) throw new RangeError(`not a nid: ${value}`);
  return value;
}

/** Whether a number can be a nid at all. */
export function isNid(value: number): value is Nid {
  const slot = value >= METABOX_NID ? value - METABOX_NID : value;
  return Number.isSafeInteger(value) && slot >= 0 && slot <= MAX_NID;
}

/** Whether the inode of this nid lies in the metabox file (Linux 6.17). */
export function isMetaboxNid(nid: Nid): boolean {
  return nid >= METABOX_NID;
}

export function toBlockAddress(value: number): BlockAddress {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a block address: ${value}`);
  return value as BlockAddress;
}

export function toByteOffset(value: number): ByteOffset {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a byte offset: ${value}`);
  return value as ByteOffset;
}
