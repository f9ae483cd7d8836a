import { deflateRawSync } from 'node:zlib';
import {
  ALGORITHM,
  CBLKCNT,
  FULL_INDEX_GAP,
  LCLUSTER_TYPE,
  deflateConfigurationRecord,
  fullIndexRecord,
  lz4ConfigurationRecord,
  mapHeaderRecord,
} from '../../erofs/format/compression';
import { INCOMPAT } from '../../erofs/format/feature';
import { FILE_TYPE, S_IFDIR, S_IFREG, direntRecord } from '../../erofs/format/dirent';
import { DATA_LAYOUT, INODE_FORMAT, extendedInodeRecord } from '../../erofs/format/inode';
import {
  SUPERBLOCK_MAGIC,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  superblockRecord,
} from '../../erofs/format/superblock';
import { toNid } from '../../erofs/brands';

/**
 * Images with one compressed file whose map is written by hand: for what no version of mkfs makes, and for what none
 * should. Blocks have 4096 bytes. Block 0 holds the superblock; from block 1 on lie the root, the packed file's inode
 * and `file`; then come the blocks of the packed file and those of `file`.
 */
export const BLOCK = 4096;

const ROOT_NID = BLOCK / 32;
const PACKED_NID = ROOT_NID + 4;
const FILE_NID = ROOT_NID + 8;

export interface CraftedFile {
  readonly size: number;
  /** Fields of the map header. */
  readonly header: Parameters<typeof mapHeaderRecord.write>[2];
  /** What follows the map header. */
  readonly table: Buffer;
  readonly layout?: typeof DATA_LAYOUT.COMPRESSED_FULL | typeof DATA_LAYOUT.COMPRESSED_COMPACT;
}

export interface CraftedImage {
  /** Pclusters, in whole blocks. */
  readonly data: Buffer;
  /** Content of the packed file. */
  readonly packed?: Buffer;
  readonly packedNid?: number;
  /** Features besides those of compression. */
  readonly incompat?: number;
  /** `block` is the first one of `data`. */
  file(block: number): CraftedFile;
}

/** Bytes of the image. */
export function craftImage(crafted: CraftedImage): Buffer {
  const packed = inBlocks(crafted.packed ?? Buffer.alloc(0), 'behind');
  const measure = crafted.file(0);
  const metadata = 8 * 32 + extendedInodeRecord.size + mapHeaderRecord.size + measure.table.length;
  const packedBlock = 1 + Math.ceil(metadata / BLOCK);
  const dataBlock = packedBlock + packed.length / BLOCK;
  const file = crafted.file(dataBlock);
  const head = Buffer.alloc(packedBlock * BLOCK);
  writeSuperblock(head, crafted, dataBlock + crafted.data.length / BLOCK);
  writeRoot(head);
  if (crafted.packed !== undefined) {
    extendedInodeRecord.write(head, PACKED_NID * 32, {
      format: INODE_FORMAT.EXTENDED | (DATA_LAYOUT.FLAT_PLAIN << INODE_FORMAT.LAYOUT_SHIFT),
      mode: S_IFREG | 0o600,
      nlink: 1,
      size: crafted.packed.length,
      startBlockLow: packedBlock,
    });
  }
  const layout = file.layout ?? DATA_LAYOUT.COMPRESSED_FULL;
  extendedInodeRecord.write(head, FILE_NID * 32, {
    format: INODE_FORMAT.EXTENDED | (layout << INODE_FORMAT.LAYOUT_SHIFT),
    mode: S_IFREG | 0o644,
    nlink: 1,
    size: file.size,
    blocksLow: crafted.data.length / BLOCK,
  });
  const map = FILE_NID * 32 + extendedInodeRecord.size;
  mapHeaderRecord.write(head, map, file.header);
  file.table.copy(head, map + mapHeaderRecord.size);
  return Buffer.concat([head, packed, crafted.data]);
}

function writeSuperblock(head: Buffer, crafted: CraftedImage, blocks: number): void {
  superblockRecord.write(head, SUPERBLOCK_OFFSET, {
    magic: SUPERBLOCK_MAGIC,
    blkszbits: 12,
    rootNid2b: ROOT_NID,
    inos: 2,
    blocksLow: blocks,
    featureIncompat:
      INCOMPAT.LZ4_0PADDING |
      INCOMPAT.COMPR_CFGS |
      (crafted.packed === undefined ? 0 : INCOMPAT.FRAGMENTS) |
      (crafted.incompat ?? 0),
    availableCompressionAlgorithms: (1 << ALGORITHM.LZ4) | (1 << ALGORITHM.DEFLATE),
    packedNid: toNid(crafted.packedNid ?? (crafted.packed === undefined ? 0 : PACKED_NID)),
  });
  let at = SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE;
  for (const [record, values] of [
    [lz4ConfigurationRecord, { maxDistance: 65_535, maxPclusterBlocks: 256 }],
    [deflateConfigurationRecord, { windowBits: 15 }],
  ] as const) {
    head.writeUInt16LE(record.size, at);
    record.write(head, at + 2, values);
    at += Math.ceil((2 + record.size) / 4) * 4;
  }
}

function writeRoot(head: Buffer): void {
  const entries = [
    ['.', ROOT_NID, FILE_TYPE.DIRECTORY],
    ['..', ROOT_NID, FILE_TYPE.DIRECTORY],
    ['file', FILE_NID, FILE_TYPE.REGULAR],
  ] as const;
  const start = ROOT_NID * 32 + extendedInodeRecord.size;
  let nameOffset = entries.length * direntRecord.size;
  entries.forEach(([name, nid, fileType], index) => {
    direntRecord.write(head, start + index * direntRecord.size, { nid: toNid(nid), nameOffset, fileType });
    head.write(name, start + nameOffset);
    nameOffset += name.length;
  });
  extendedInodeRecord.write(head, ROOT_NID * 32, {
    format: INODE_FORMAT.EXTENDED | (DATA_LAYOUT.FLAT_INLINE << INODE_FORMAT.LAYOUT_SHIFT),
    mode: S_IFDIR | 0o755,
    nlink: 2,
    size: nameOffset,
    startBlockLow: 0xffff_ffff,
  });
}

/** Bytes filled up to whole blocks with zeros. */
export function inBlocks(bytes: Buffer, zeros: 'before' | 'behind'): Buffer {
  const padding = Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK);
  return Buffer.concat(zeros === 'before' ? [padding, bytes] : [bytes, padding]);
}

/** A pcluster of raw DEFLATE. */
export function deflated(content: Buffer): Buffer {
  return inBlocks(deflateRawSync(content), 'before');
}

/** A pcluster of LZ4 that decodes to `length` times the same byte; at least 13. */
export function lz4Run(byte: number, length: number): Buffer {
  const match = length - 6;
  const rest = match - 4 - 15;
  const more = rest < 0 ? [] : [...Array<number>(Math.floor(rest / 255)).fill(255), rest % 255];
  const token = 0x10 | Math.min(15, match - 4);
  return inBlocks(Buffer.from([token, byte, 1, 0, ...more, 0x50, ...Array<number>(5).fill(byte)]), 'before');
}

export interface CraftedHead {
  readonly type: 'PLAIN' | 'HEAD1' | 'HEAD2';
  /** First byte of the extent in the file. */
  readonly start: number;
  /** First block of the pcluster. */
  readonly block: number;
  /** Blocks, said in the lcluster behind the head; left out: not said. */
  readonly blocks?: number;
  /** FULL_INDEX_ADVISE bits. */
  readonly advise?: number;
}

/** Longest distance that a full index names. */
const DISTANCE_MAX = CBLKCNT - 1;

/** A full index with its gap: heads in the order of the file, and what leads to them between. */
export function fullIndex(size: number, heads: readonly CraftedHead[]): Buffer {
  const total = Math.ceil(size / BLOCK);
  const bytes = Buffer.alloc(FULL_INDEX_GAP + total * fullIndexRecord.size);
  const numbers = heads.map(({ start }) => Math.floor(start / BLOCK));
  for (let number = 0; number < total; number++) {
    const at = FULL_INDEX_GAP + number * fullIndexRecord.size;
    const index = numbers.findLastIndex((head) => head <= number);
    const head = heads[index]!;
    const back = number - numbers[index]!;
    if (back === 0) {
      fullIndexRecord.write(bytes, at, {
        advise: LCLUSTER_TYPE[head.type] | (head.advise ?? 0),
        clusterOffset: head.start % BLOCK,
        block: head.block,
      });
      continue;
    }
    const counts = back === 1 && head.blocks !== undefined;
    fullIndexRecord.write(bytes, at, {
      advise: LCLUSTER_TYPE.NONHEAD,
      distanceBack: counts ? CBLKCNT | head.blocks : Math.min(back, DISTANCE_MAX),
      distanceOn: Math.min((numbers[index + 1] ?? total) - number, DISTANCE_MAX),
    });
  }
  return bytes;
}
