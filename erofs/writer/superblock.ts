import type { Hash } from 'node:crypto';
import { readSync, writeSync } from 'node:fs';
import { COMPAT, INCOMPAT } from '../format/feature';
import { SUPERBLOCK_MAGIC, SUPERBLOCK_OFFSET, superblockRecord } from '../format/superblock';
import { XATTR_ALIGNMENT } from '../format/xattr';
import { superblockChecksum } from '../superblock';
import { FINGERPRINT_PREFIX_ID } from './fingerprint-xattr';
import { BLOCK_BITS, BLOCK_SIZE } from './geometry';
import type { ImageLayout } from './layout';

/**
 * Puts the superblock into the first block of an image that is complete but for it. Linux 6.4 and later mount the
 * result (long xattr prefixes); nothing else in it asks for more than the first EROFS.
 *
 * @param metadataHash has seen all metadata, with zeros where the superblock goes. Returns the UUID made from it.
 */
export function writeSuperblock(fd: number, layout: ImageLayout, metadataHash: Hash): Buffer {
  const block = Buffer.alloc(BLOCK_SIZE);
  readSync(fd, block, 0, block.length, 0);
  superblockRecord.write(block, SUPERBLOCK_OFFSET, {
    magic: SUPERBLOCK_MAGIC,
    featureCompat:
      COMPAT.SB_CHKSUM | COMPAT.MTIME | COMPAT.XATTR_FILTER | COMPAT.PLAIN_XATTR_PFX | COMPAT.ISHARE_XATTRS,
    blkszbits: BLOCK_BITS,
    rootNid2b: layout.inodes[0]?.nid ?? 0,
    inos: layout.inodes.length,
    epoch: layout.epoch.seconds,
    fixedNanoseconds: layout.epoch.nanoseconds,
    blocksLow: layout.blocks,
    metaBlockAddress: layout.metaBlock,
    xattrBlockAddress: 0,
    featureIncompat: INCOMPAT.XATTR_PREFIXES,
    xattrPrefixCount: 1,
    xattrPrefixStart: layout.prefixOffset / XATTR_ALIGNMENT,
    ishareXattrPrefixId: FINGERPRINT_PREFIX_ID,
  });
  metadataHash.update(block.subarray(SUPERBLOCK_OFFSET, SUPERBLOCK_OFFSET + superblockRecord.size));
  const uuid = uuidOf(metadataHash.digest());
  superblockRecord.fields.uuid.write(block, SUPERBLOCK_OFFSET, uuid);
  // Covers the whole block, so it comes last.
  superblockRecord.fields.checksum.write(block, SUPERBLOCK_OFFSET, superblockChecksum(block, BLOCK_SIZE));
  writeSync(fd, block, 0, block.length, 0);
  return uuid;
}

/** A UUID of version 8 (RFC 9562: bits of our own choice) from the beginning of a digest. */
function uuidOf(digest: Buffer): Buffer {
  const uuid = Buffer.from(digest.subarray(0, 16));
  uuid.writeUInt8((uuid.readUInt8(6) & 0x0f) | 0x80, 6);
  uuid.writeUInt8((uuid.readUInt8(8) & 0x3f) | 0x80, 8);
  return uuid;
}
