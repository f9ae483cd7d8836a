import {
  ALGORITHM,
  CONFIGURATION_ALIGNMENT,
  ZSTD_WINDOW_LOG_BASE,
  configurationHeadRecord,
  lz4ConfigurationRecord,
  zstdConfigurationRecord,
  type Algorithm,
} from '../format/compression';
import { COMPAT, INCOMPAT } from '../format/feature';
import { SUPERBLOCK_MAGIC, SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE, superblockRecord } from '../format/superblock';
import { XATTR_ALIGNMENT } from '../format/xattr';
import { superblockChecksum } from '../superblock';
import type { EncoderSettings } from './compression-options';
import { ENCODERS, zstdWindowLog } from './encoder-settings';
import { FINGERPRINT_PREFIX_ID } from './fingerprint-xattr';
import { BLOCK_BITS, BLOCK_SIZE, roundUp } from './geometry';
import type { ImagePlan } from './image-plan';
import type { MetadataLayout } from './layout';

/** Farthest that liblz4 lets a match reach back (LZ4_DISTANCE_MAX of lz4.h). */
const LZ4_DISTANCE_MAX = 65535;

const COMPAT_ALWAYS = COMPAT.SB_CHKSUM | COMPAT.MTIME | COMPAT.XATTR_FILTER | COMPAT.PLAIN_XATTR_PFX;

/** What the first block says besides what the layout knows. */
export interface HeadOptions {
  /** Long xattr prefixes in the order of their numbers. */
  readonly prefixRecords: readonly Buffer[];
  /** Settings that files may have been encoded with. */
  readonly settings: readonly EncoderSettings[];
}

/**
 * The first block: superblock, compression configurations, long xattr prefixes. The UUID is made by `digest` from the
 * block without it. Linux 6.4 and later mount the image (long xattr prefixes), 6.10 where it has Zstandard.
 */
export function encodeHeadBlock(
  plan: ImagePlan,
  layout: MetadataLayout,
  { prefixRecords, settings }: HeadOptions,
  digest: (block: Buffer) => Buffer,
): { block: Buffer; uuid: Buffer } {
  const block = Buffer.alloc(BLOCK_SIZE);
  const used = algorithmsOf(plan);
  const configurationEnd = writeConfigurations(block, used, settings);
  const prefixStart = roundUp(configurationEnd, XATTR_ALIGNMENT);
  let end = prefixStart;
  for (const record of prefixRecords) {
    end = roundUp(end, XATTR_ALIGNMENT);
    end += record.copy(block, end);
  }
  let featureIncompat: number = INCOMPAT.XATTR_PREFIXES;
  if (used.size > 0) featureIncompat |= INCOMPAT.LZ4_0PADDING | INCOMPAT.COMPR_CFGS;
  if (plan.metadataOnly) featureIncompat |= INCOMPAT.CHUNKED_FILE;
  if (hasInlinePclusters(plan)) featureIncompat |= INCOMPAT.ZTAILPACKING;
  superblockRecord.write(block, SUPERBLOCK_OFFSET, {
    magic: SUPERBLOCK_MAGIC,
    // Files that are holes must not be shared by what their contents elsewhere have for fingerprints.
    featureCompat: plan.metadataOnly ? COMPAT_ALWAYS : COMPAT_ALWAYS | COMPAT.ISHARE_XATTRS,
    blkszbits: BLOCK_BITS,
    rootNid2b: plan.inodes[0]?.nid ?? 0,
    inos: plan.inodes.length,
    epoch: plan.epoch.seconds,
    fixedNanoseconds: plan.epoch.nanoseconds,
    blocksLow: layout.blocks,
    metaBlockAddress: layout.metaBlock,
    xattrBlockAddress: layout.sharedBlock,
    featureIncompat,
    availableCompressionAlgorithms: [...used].reduce<number>((bits, algorithm) => bits | (1 << algorithm), 0),
    xattrPrefixCount: prefixRecords.length,
    xattrPrefixStart: prefixStart / XATTR_ALIGNMENT,
    ishareXattrPrefixId: FINGERPRINT_PREFIX_ID,
  });
  const uuid = uuidOf(digest(block));
  superblockRecord.fields.uuid.write(block, SUPERBLOCK_OFFSET, uuid);
  // Covers the whole block, so it comes last.
  superblockRecord.fields.checksum.write(block, SUPERBLOCK_OFFSET, superblockChecksum(block, BLOCK_SIZE));
  return { block, uuid };
}

/** A UUID of version 8 (RFC 9562: bits of our own choice) from the beginning of a digest. */
function uuidOf(digest: Buffer): Buffer {
  const uuid = Buffer.from(digest.subarray(0, 16));
  uuid.writeUInt8((uuid.readUInt8(6) & 0x0f) | 0x80, 6);
  uuid.writeUInt8((uuid.readUInt8(8) & 0x3f) | 0x80, 8);
  return uuid;
}

function algorithmsOf({ inodes }: ImagePlan): Set<Algorithm> {
  const used = new Set<Algorithm>();
  for (const { content } of inodes) if (content?.algorithm !== undefined) used.add(content.algorithm);
  return used;
}

function hasInlinePclusters({ inodes }: ImagePlan): boolean {
  return inodes.some(
    ({ content }) => content?.algorithm !== undefined && (content.trailer?.inlineBytes ?? 0) > 0,
  );
}

/** One for each algorithm, in the order of their numbers. Returns the byte behind the last. */
function writeConfigurations(
  block: Buffer,
  used: ReadonlySet<Algorithm>,
  settings: readonly EncoderSettings[],
): number {
  let end = SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE;
  for (const algorithm of [...used].sort((one, other) => one - other)) {
    const largest = Math.max(
      ...settings
        .filter(({ encoder }) => ENCODERS[encoder].algorithm === algorithm)
        .map(({ pclusterSize }) => pclusterSize),
    );
    const payload = configuration(algorithm, largest);
    const start = roundUp(end, CONFIGURATION_ALIGNMENT);
    configurationHeadRecord.write(block, start, { length: payload.length });
    end = start + configurationHeadRecord.size;
    end += payload.copy(block, end);
  }
  return end;
}

function configuration(algorithm: Algorithm, pclusterSize: number): Buffer {
  switch (algorithm) {
    case ALGORITHM.LZ4: {
      const payload = Buffer.alloc(lz4ConfigurationRecord.size);
      lz4ConfigurationRecord.write(payload, 0, {
        maxDistance: LZ4_DISTANCE_MAX,
        maxPclusterBlocks: pclusterSize / BLOCK_SIZE,
      });
      return payload;
    }
    case ALGORITHM.ZSTD: {
      const payload = Buffer.alloc(zstdConfigurationRecord.size);
      zstdConfigurationRecord.write(payload, 0, {
        windowLog: zstdWindowLog(pclusterSize) - ZSTD_WINDOW_LOG_BASE,
      });
      return payload;
    }
    case ALGORITHM.LZMA:
    case ALGORITHM.DEFLATE:
      throw new Error(`algorithm ${algorithm} is not written`);
  }
}
