import type { ByteSource } from '../byte-source';
import type { DevicePosition } from '../device-table';
import { ErofsUnsupportedError } from '../errors';
import {
  CHUNK_FORMAT,
  CHUNK_HOLE_HIGH,
  CHUNK_HOLE_LOW,
  chunkBlockRecord,
  chunkIndexRecord,
} from '../format/chunk';
import type { Site } from '../format/record';
import type { ImageSources } from '../image-sources';
import { inodeEnd, type Inode } from '../inode';
import { readRange } from '../read-range';
import type { BlockUse, DataExtent, DataLayoutReader } from './data-layout';

/** Reads in flight for one request: pieces may be many and small. */
const CONCURRENT_READS = 8;

/** Entries of a chunk table that are read at a time. */
const TABLE_BATCH = 4096;

/** Bytes that lie together; `source` undefined: a hole. */
interface Piece {
  readonly source: ByteSource | undefined;
  readonly position: number;
  length: number;
}

/** What a chunk table entry points to, or undefined for a hole. */
type Target = { readonly deviceId: number; readonly block: number } | undefined;

/** Chunk-based: a table behind the inode says for each chunk of the file where it is (Linux 5.15). */
export const chunkLayout: DataLayoutReader = {
  async read(image, inode, offset, length, use) {
    const pieces = await mapRange(image, inode, offset, length, use);
    const buffers: Buffer[] = [];
    for (let start = 0; start < pieces.length; start += CONCURRENT_READS) {
      const batch = pieces.slice(start, start + CONCURRENT_READS);
      buffers.push(...(await Promise.all(batch.map((piece) => readPiece(piece, inode)))));
    }
    const [only] = buffers;
    return only !== undefined && buffers.length === 1 ? only : Buffer.concat(buffers, length);
  },

  async *extents(image, inode) {
    const chunkSize = chunkSizeOf(image, inode);
    const chunks = Math.ceil(inode.size / chunkSize);
    let open: DataExtent | undefined;
    for (let first = 0; first < chunks; first += TABLE_BATCH) {
      const targets = await readTargets(image, inode, first, Math.min(TABLE_BATCH, chunks - first));
      for (const [step, target] of targets.entries()) {
        const start = (first + step) * chunkSize;
        const extent = extentOf(image, target, start, Math.min(chunkSize, inode.size - start));
        if (open !== undefined && continues(open, extent)) {
          open = { ...open, length: open.length + extent.length };
        } else {
          if (open !== undefined) yield open;
          open = extent;
        }
      }
    }
    if (open !== undefined) yield open;
  },
};

function extentOf(image: ImageSources, target: Target, start: number, length: number): DataExtent {
  if (target === undefined) return { kind: 'hole', start, length };
  const position = target.block * image.superblock.blockSize;
  const device = image.devices.number(target.deviceId);
  return { kind: 'stored', start, length, inline: false, device, position };
}

function continues(before: DataExtent, after: DataExtent): boolean {
  if (before.kind !== 'stored' || after.kind !== 'stored') return before.kind === after.kind;
  return before.device === after.device && after.position === before.position + before.length;
}

async function readPiece({ source, position, length }: Piece, inode: Inode): Promise<Buffer> {
  if (source === undefined) return Buffer.alloc(length);
  return readRange(source, position, length, inode.nid, 'chunk address');
}

/** The pieces of a range, neighbours joined. */
async function mapRange(
  image: ImageSources,
  inode: Inode,
  offset: number,
  length: number,
  use: BlockUse,
): Promise<Piece[]> {
  const chunkSize = chunkSizeOf(image, inode);
  const first = Math.floor(offset / chunkSize);
  const last = Math.floor((offset + length - 1) / chunkSize);
  const targets = await readTargets(image, inode, first, last - first + 1);
  const pieces: Piece[] = [];
  targets.forEach((target, step) => {
    const chunkStart = (first + step) * chunkSize;
    const start = Math.max(offset, chunkStart);
    const end = Math.min(offset + length, chunkStart + chunkSize);
    append(pieces, pieceOf(image[use], locate(image, inode, target), start - chunkStart, end - start));
  });
  return pieces;
}

function locate(image: ImageSources, inode: Inode, target: Target): DevicePosition | undefined {
  return target && image.devices.locate(target.deviceId, target.block, inode.nid);
}

function pieceOf(
  primary: ByteSource,
  place: DevicePosition | undefined,
  skip: number,
  length: number,
): Piece {
  if (place === undefined) return { source: undefined, position: 0, length };
  return { source: place.source ?? primary, position: place.position + skip, length };
}

function append(pieces: Piece[], piece: Piece): void {
  const before = pieces.at(-1);
  if (before !== undefined && follows(before, piece)) before.length += piece.length;
  else pieces.push(piece);
}

function follows(before: Piece, piece: Piece): boolean {
  if (before.source !== piece.source) return false;
  return piece.source === undefined || piece.position === before.position + before.length;
}

function chunkSizeOf(image: ImageSources, inode: Inode): number {
  const { chunkFormat } = inode;
  if ((chunkFormat & ~CHUNK_FORMAT.KNOWN) !== 0) {
    throw new ErofsUnsupportedError(
      { image: image.label, nid: inode.nid, offset: inode.xattrOffset, field: 'inode.chunkFormat' },
      `0x${chunkFormat.toString(16)} has unknown bits`,
    );
  }
  return image.superblock.blockSize * 2 ** (chunkFormat & CHUNK_FORMAT.BITS_MASK);
}

async function readTargets(
  image: ImageSources,
  inode: Inode,
  first: number,
  count: number,
): Promise<Target[]> {
  const indexes = (inode.chunkFormat & CHUNK_FORMAT.INDEXES) !== 0;
  const unit = indexes ? chunkIndexRecord.size : chunkBlockRecord.size;
  const start = Math.ceil(inodeEnd(inode) / unit) * unit + first * unit;
  const table = await readRange(image.home(inode.nid), start, count * unit, inode.nid, 'chunk table');
  const site: Site = { image: image.label, nid: inode.nid, origin: start };
  const wide = (inode.chunkFormat & CHUNK_FORMAT['48BIT']) !== 0;
  return Array.from({ length: count }, (_, index) =>
    indexes ? indexTarget(table, index * unit, site, wide) : blockTarget(table, index * unit, site),
  );
}

function blockTarget(table: Buffer, at: number, site: Site): Target {
  const block = chunkBlockRecord.fields.block.read(table, at, site);
  return block === CHUNK_HOLE_LOW ? undefined : { deviceId: 0, block };
}

function indexTarget(table: Buffer, at: number, site: Site, wide: boolean): Target {
  const { startBlockHigh, startBlockLow, deviceId } = chunkIndexRecord.read(table, at, site);
  if (startBlockLow === CHUNK_HOLE_LOW && (!wide || startBlockHigh === CHUNK_HOLE_HIGH)) return undefined;
  return { deviceId, block: startBlockLow + (wide ? startBlockHigh * 2 ** 32 : 0) };
}
