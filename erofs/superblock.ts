import type { ByteSource } from './byte-source';
import { crc32c } from './crc32c';
import {
  isMetaboxNid,
  toBlockAddress,
  toByteOffset,
  toNid,
  type BlockAddress,
  type ByteOffset,
  type Nid,
} from './brands';
import { ErofsCorruptError, ErofsUnsupportedError, type ErofsErrorSite } from './errors';
import { deviceSlotRecord } from './format/device';
import { COMPAT, INCOMPAT, featureNames } from './format/feature';
import type { Site } from './format/record';
import {
  SUPERBLOCK_EXTENSION_SLOT,
  SUPERBLOCK_MAGIC,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  superblockExtensionRecord,
  superblockRecord,
} from './format/superblock';
import { LONG_PREFIX_COUNT_MAX } from './format/xattr';

/** What the superblock says, checked and in the units that readers want. */
export interface Superblock {
  readonly featureCompat: number;
  readonly featureIncompat: number;
  /** log2 of `blockSize`. */
  readonly blockBits: number;
  /** Bytes. */
  readonly blockSize: number;
  /** Blocks of the primary device. */
  readonly blocks: BlockAddress;
  /** Inodes that the image counts. */
  readonly inodes: number;
  readonly rootNid: Nid;
  readonly packedNid: Nid | undefined;
  readonly metaboxNid: Nid | undefined;
  /** Where nid 0 lies. */
  readonly metaOffset: ByteOffset;
  /** From where ids of shared xattrs count. */
  readonly sharedXattrOffset: ByteOffset;
  /** Seconds since 1970, and nanoseconds, that compact inodes build on. */
  readonly epoch: number;
  readonly fixedNanoseconds: number;
  /** Seconds since 1970 when the image was made: `epoch` where the image does not say more. */
  readonly buildTime: number;
  readonly uuid: Buffer;
  readonly volumeName: Buffer;
  readonly extraDevices: number;
  readonly deviceTableOffset: ByteOffset;
  readonly xattrPrefixCount: number;
  /** In the file that holds the prefixes. */
  readonly xattrPrefixOffset: ByteOffset;
  /** Whether name filters of inodes mean something. */
  readonly xattrFilter: boolean;
  /** Number of the long prefix that names the fingerprint xattr, or undefined where there are no fingerprints. */
  readonly fingerprintPrefix: number | undefined;
  /** Bytes from SUPERBLOCK_OFFSET to the first byte after superblock and extension. */
  readonly size: number;
  /** Raw value of the union at byte 84: see `superblockRecord`. */
  readonly compressionWord: number;
}

/** Incompatible features that this reader knows; files that use one it cannot decode are refused one by one. */
const KNOWN_INCOMPAT = Object.values(INCOMPAT).reduce((all, bit) => all | bit, 0);

const BLOCK_BITS_MIN = 9;
const BLOCK_BITS_MAX = 16;
/** Linux reads superblock and extension from one page. */
const SUPERBLOCK_END_MAX = 4096;

/**
 * Checksum over the superblock's block, the checksum field taken as zero. `image` holds the image from its first
 * byte at least to the end of that block.
 */
export function superblockChecksum(image: Buffer, blockSize: number): number {
  const length = blockSize > SUPERBLOCK_OFFSET ? blockSize - SUPERBLOCK_OFFSET : blockSize;
  const block = image.subarray(SUPERBLOCK_OFFSET, SUPERBLOCK_OFFSET + length);
  const { offset, width } = superblockRecord.fields.checksum;
  let register = crc32c(block.subarray(0, offset));
  register = crc32c(Buffer.alloc(width), register);
  return crc32c(block.subarray(offset + width), register);
}

/** Reads the superblock of an image, and no more of it than that takes. Rejects as `decodeSuperblock` throws. */
export async function readSuperblock(image: ByteSource): Promise<Superblock> {
  const start = await image.read(0, Math.min(SUPERBLOCK_END_MAX, image.size));
  const { blkszbits } = superblockRecord.read(start, SUPERBLOCK_OFFSET, { image: image.label, origin: 0 });
  const wanted = Math.min(2 ** Math.min(blkszbits, BLOCK_BITS_MAX), image.size);
  const head = wanted > start.length ? await image.read(0, wanted) : start;
  return decodeSuperblock(head, image.size, image.label);
}

/**
 * Decodes and checks the superblock. `head` is the beginning of the image (its first block, 4096 bytes at least, or all
 * of a shorter image), `imageSize` its length in bytes. Throws ErofsCorruptError, or ErofsUnsupportedError naming features.
 */
export function decodeSuperblock(head: Buffer, imageSize: number, label: string): Superblock {
  const site: Site = { image: label, origin: 0 };
  const raw = superblockRecord.read(head, SUPERBLOCK_OFFSET, site);
  const corrupt = (field: FieldName, problem: string) => new ErofsCorruptError(siteOf(label, field), problem);

  if (raw.magic !== SUPERBLOCK_MAGIC) throw corrupt('magic', `0x${raw.magic.toString(16)}: no EROFS image`);
  const { featureCompat, featureIncompat, blkszbits } = raw;
  if (blkszbits < BLOCK_BITS_MIN || blkszbits > BLOCK_BITS_MAX) throw corrupt('blkszbits', `${blkszbits}`);
  const blockSize = 2 ** blkszbits;
  if ((featureCompat & COMPAT.SB_CHKSUM) !== 0) {
    const expected = superblockChecksum(head, blockSize);
    if (raw.checksum !== expected) throw corrupt('checksum', `${hex(raw.checksum)}, not ${hex(expected)}`);
  }
  const unknown = featureIncompat & ~KNOWN_INCOMPAT;
  if (unknown !== 0) {
    const names = featureNames(unknown, INCOMPAT).join(', ');
    throw new ErofsUnsupportedError(siteOf(label, 'featureIncompat'), `unknown features: ${names}`);
  }
  if (raw.dirblkbits !== 0) {
    throw new ErofsUnsupportedError(siteOf(label, 'dirblkbits'), `${raw.dirblkbits}`);
  }
  const size = SUPERBLOCK_SIZE + raw.extensionSlots * SUPERBLOCK_EXTENSION_SLOT;
  if (SUPERBLOCK_OFFSET + size > SUPERBLOCK_END_MAX) throw corrupt('extensionSlots', `${raw.extensionSlots}`);
  if (raw.xattrPrefixCount > LONG_PREFIX_COUNT_MAX)
    throw corrupt('xattrPrefixCount', `${raw.xattrPrefixCount}`);

  const wideRoot = (featureIncompat & INCOMPAT['48BIT']) !== 0 && raw.rootNid8b !== 0;
  const blocks = toBlockAddress(raw.blocksLow + (wideRoot ? raw.blocksHigh * 2 ** 32 : 0));
  if (blocks * blockSize > imageSize) {
    const there = `${imageSize} bytes are there`;
    throw corrupt('blocksLow', `the image is truncated: ${blocks} blocks of ${blockSize} bytes, ${there}`);
  }
  const xattrPrefixCount = (featureIncompat & INCOMPAT.XATTR_PREFIXES) !== 0 ? raw.xattrPrefixCount : 0;
  const fingerprints = (featureCompat & COMPAT.ISHARE_XATTRS) !== 0;
  if (fingerprints && raw.ishareXattrPrefixId >= xattrPrefixCount) {
    throw corrupt('ishareXattrPrefixId', `${raw.ishareXattrPrefixId} of ${xattrPrefixCount} long prefixes`);
  }
  return {
    featureCompat,
    featureIncompat,
    blockBits: blkszbits,
    blockSize,
    blocks,
    inodes: raw.inos,
    rootNid: wideRoot ? raw.rootNid8b : toNid(raw.rootNid2b),
    packedNid: raw.packedNid === 0 ? undefined : raw.packedNid,
    metaboxNid: readMetaboxNid(head, raw.extensionSlots, featureIncompat, site),
    metaOffset: toByteOffset(raw.metaBlockAddress * blockSize),
    sharedXattrOffset: toByteOffset(raw.xattrBlockAddress * blockSize),
    epoch: raw.epoch,
    fixedNanoseconds: raw.fixedNanoseconds,
    buildTime: raw.epoch + raw.buildTime,
    uuid: Buffer.from(raw.uuid),
    volumeName: Buffer.from(upToNul(raw.volumeName)),
    extraDevices: (featureIncompat & INCOMPAT.DEVICE_TABLE) !== 0 ? raw.extraDevices : 0,
    deviceTableOffset: toByteOffset(raw.deviceTableSlot * deviceSlotRecord.size),
    xattrPrefixCount,
    xattrPrefixOffset: toByteOffset(raw.xattrPrefixStart * 4),
    xattrFilter: (featureCompat & COMPAT.XATTR_FILTER) !== 0 && raw.xattrFilterReserved === 0,
    fingerprintPrefix: fingerprints ? raw.ishareXattrPrefixId : undefined,
    size,
    compressionWord: raw.availableCompressionAlgorithms,
  };
}

type FieldName = keyof typeof superblockRecord.fields;

function siteOf(image: string, field: FieldName): ErofsErrorSite {
  const { name, offset } = superblockRecord.fields[field];
  return { image, offset: SUPERBLOCK_OFFSET + offset, field: name };
}

function readMetaboxNid(head: Buffer, extensionSlots: number, incompat: number, site: Site): Nid | undefined {
  if ((incompat & INCOMPAT.METABOX) === 0) return undefined;
  if (extensionSlots === 0) {
    throw new ErofsCorruptError(siteOf(site.image, 'extensionSlots'), 'METABOX is set without an extension');
  }
  const extension = superblockExtensionRecord.read(head, SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE, site);
  if (isMetaboxNid(extension.metaboxNid)) {
    const field = superblockExtensionRecord.fields.metaboxNid.name;
    const offset = SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE;
    throw new ErofsCorruptError({ image: site.image, offset, field }, 'the metabox file lies in itself');
  }
  return extension.metaboxNid;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** The bytes before the first NUL, as names in fixed fields are kept. A view. */
export function upToNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}
