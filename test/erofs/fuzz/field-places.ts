import { isMetaboxNid, type Nid } from '../../../erofs/brands';
import { chunkIndexRecord } from '../../../erofs/format/chunk';
import { mapHeaderRecord } from '../../../erofs/format/compression';
import { deviceSlotRecord } from '../../../erofs/format/device';
import { direntRecord } from '../../../erofs/format/dirent';
import {
  DATA_LAYOUT,
  INODE_SLOT,
  compactInodeRecord,
  extendedInodeRecord,
} from '../../../erofs/format/inode';
import {
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  superblockExtensionRecord,
  superblockRecord,
} from '../../../erofs/format/superblock';
import { xattrBodyRecord } from '../../../erofs/format/xattr';
import type { ErofsImage, Inode } from '../../../erofs/image';
import { inodeEnd, isDirectory } from '../../../erofs/inode';
import { devicesOf, openBytes, sample } from '../damaged-image';

/** A field of a sample image: what a damage can aim at. */
export interface Place {
  readonly name: string;
  /** Bytes from the start of the image. */
  readonly position: number;
  /** Bytes. */
  readonly width: number;
}

interface RecordTable {
  readonly fields: Readonly<
    Record<string, { readonly name: string; readonly offset: number; readonly width: number }>
  >;
}

/** Records of a table that are aimed at, from its start. */
const RECORDS_MAX = 48;
/** Bytes behind the superblock that hold the compression records and long prefixes of small images. */
const HEAD_TABLES = 160;

/** Every field of the metadata of a sample, as the tables of erofs/format/ describe them. */
export async function fieldPlaces(name: string): Promise<Place[]> {
  await using image = await openBytes(sample(name), false, devicesOf[name] ?? []);
  const { superblock } = image;
  const places = fieldsAt(superblockRecord, SUPERBLOCK_OFFSET);
  if (superblock.metaboxNid !== undefined) {
    places.push(...fieldsAt(superblockExtensionRecord, SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE));
  }
  places.push(...words('tables behind the superblock', SUPERBLOCK_OFFSET + superblock.size, HEAD_TABLES));
  for (let slot = 0; slot < superblock.extraDevices; slot++) {
    places.push(...fieldsAt(deviceSlotRecord, superblock.deviceTableOffset + slot * deviceSlotRecord.size));
  }
  places.push(...words('long prefixes', superblock.xattrPrefixOffset, 4 * superblock.xattrPrefixCount));
  for (const inode of await allInodes(image)) {
    if (!isMetaboxNid(inode.nid)) places.push(...(await inodePlaces(image, inode)));
  }
  const size = sample(name).length;
  return places.filter(({ position, width }) => position + width <= size);
}

async function allInodes(image: ErofsImage): Promise<Inode[]> {
  const { packedNid, metaboxNid } = image.superblock;
  const known = new Set<Nid>([image.rootNid]);
  for (const nid of [packedNid, metaboxNid]) if (nid !== undefined) known.add(nid);
  const inodes: Inode[] = [];
  for (const nid of known) {
    const inode = await image.inode(nid);
    inodes.push(inode);
    if (!isDirectory(inode)) continue;
    for (const entry of await image.entriesFrom(inode, 0, Infinity)) known.add(entry.nid);
  }
  return inodes;
}

async function inodePlaces(image: ErofsImage, inode: Inode): Promise<Place[]> {
  const position = image.superblock.metaOffset + inode.nid * INODE_SLOT;
  const extended = inode.xattrOffset - position === extendedInodeRecord.size;
  const places = fieldsAt(extended ? extendedInodeRecord : compactInodeRecord, position);
  if (inode.xattrSize > 0) {
    places.push(...fieldsAt(xattrBodyRecord, inode.xattrOffset));
    const entries = inode.xattrOffset + xattrBodyRecord.size;
    places.push(...words('xattr entries', entries, inode.xattrSize - xattrBodyRecord.size));
  }
  const table = Math.ceil(inodeEnd(inode) / 8) * 8;
  if (inode.layout === DATA_LAYOUT.COMPRESSED_FULL || inode.layout === DATA_LAYOUT.COMPRESSED_COMPACT) {
    places.push(...fieldsAt(mapHeaderRecord, table));
    places.push(...words('lcluster index', table + mapHeaderRecord.size, 8 * RECORDS_MAX));
  } else if (inode.layout === DATA_LAYOUT.CHUNK_BASED) {
    for (let record = 0; record < RECORDS_MAX; record++) {
      places.push(...fieldsAt(chunkIndexRecord, table + record * chunkIndexRecord.size));
    }
  }
  if (isDirectory(inode)) places.push(...(await direntPlaces(image, inode)));
  return places;
}

/** Entries of directories that are not compressed. */
async function direntPlaces(image: ErofsImage, directory: Inode): Promise<Place[]> {
  const places: Place[] = [];
  for await (const extent of image.extents(directory)) {
    if (extent.kind !== 'stored') continue;
    const records = Math.min(RECORDS_MAX, Math.floor(extent.length / direntRecord.size));
    for (let record = 0; record < records; record++) {
      places.push(...fieldsAt(direntRecord, extent.position + record * direntRecord.size));
    }
  }
  return places;
}

function fieldsAt({ fields }: RecordTable, base: number): Place[] {
  return Object.values(fields).map(({ name, offset, width }) => ({ name, position: base + offset, width }));
}

function words(name: string, start: number, length: number): Place[] {
  return Array.from({ length: Math.floor(length / 4) }, (_, index) => ({
    name,
    position: start + 4 * index,
    width: 4,
  }));
}
