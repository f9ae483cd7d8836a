import type { Attributes, Entry, FileSystemStatistics, OpenAnswer, Timestamp } from '../file-system';
import { Attr, AttrOut, EntryOut, OpenOut, Statfs, Statx, StatxOut } from './structures';

/** Seconds for which the kernel may trust names and attributes: images never change, so ten years. */
const FOREVER = 315_360_000;
const BLOCK_SIZE = 4096;
/** STATX_BASIC_STATS: everything but the birth time, which images do not have. */
const STATX_BASIC_STATS = 0x7ff;
const DEV_MINOR_LOW = 0xff;

export function writeU64(buffer: Buffer, value: number, offset: number): void {
  buffer.writeUInt32LE(value % 0x1_0000_0000, offset);
  buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4);
}

/** Two's complement, for times before 1970. */
function writeS64(buffer: Buffer, value: number, offset: number): void {
  buffer.writeUInt32LE(value >>> 0, offset);
  buffer.writeInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4);
}

/** Blocks of 512 bytes; where the file system does not say, its size rounded up to pages. */
function sectorsOf({ size, sectors }: Attributes): number {
  return sectors ?? Math.ceil(size / BLOCK_SIZE) * (BLOCK_SIZE / 512);
}

export function writeAttr(buffer: Buffer, attributes: Attributes, at: number): void {
  writeU64(buffer, attributes.ino, at + Attr.ino);
  writeU64(buffer, attributes.size, at + Attr.fileSize);
  writeU64(buffer, sectorsOf(attributes), at + Attr.blocks);
  const { seconds, nanoseconds } = attributes.time;
  for (const time of [Attr.atime, Attr.mtime, Attr.ctime]) writeS64(buffer, seconds, at + time);
  for (const nsec of [Attr.atimeNsec, Attr.mtimeNsec, Attr.ctimeNsec]) {
    buffer.writeUInt32LE(nanoseconds, at + nsec);
  }
  buffer.writeUInt32LE(attributes.mode, at + Attr.mode);
  buffer.writeUInt32LE(attributes.nlink, at + Attr.nlink);
  buffer.writeUInt32LE(attributes.uid, at + Attr.uid);
  buffer.writeUInt32LE(attributes.gid, at + Attr.gid);
  buffer.writeUInt32LE(attributes.rdev, at + Attr.rdev);
  buffer.writeUInt32LE(attributes.blockSize ?? BLOCK_SIZE, at + Attr.blksize);
}

export function writeEntry(buffer: Buffer, entry: Entry, at: number): void {
  writeU64(buffer, entry.node, at + EntryOut.nodeid);
  writeU64(buffer, entry.generation ?? 0, at + EntryOut.generation);
  writeU64(buffer, FOREVER, at + EntryOut.entryValid);
  writeU64(buffer, FOREVER, at + EntryOut.attrValid);
  writeAttr(buffer, entry.attributes, at + EntryOut.attr);
}

export function encodeEntry(entry: Entry): Buffer {
  const reply = Buffer.alloc(EntryOut.size);
  writeEntry(reply, entry, 0);
  return reply;
}

/** A name that does not exist, to be remembered: node id 0 with a lifetime. */
export function encodeNegativeEntry(): Buffer {
  const reply = Buffer.alloc(EntryOut.size);
  writeU64(reply, FOREVER, EntryOut.entryValid);
  return reply;
}

export function encodeAttributes(attributes: Attributes): Buffer {
  const reply = Buffer.alloc(AttrOut.size);
  writeU64(reply, FOREVER, AttrOut.attrValid);
  writeAttr(reply, attributes, AttrOut.attr);
  return reply;
}

export function encodeStatx(attributes: Attributes): Buffer {
  const reply = Buffer.alloc(StatxOut.size);
  writeU64(reply, FOREVER, StatxOut.attrValid);
  const at = StatxOut.stat;
  reply.writeUInt32LE(STATX_BASIC_STATS, at + Statx.mask);
  reply.writeUInt32LE(attributes.blockSize ?? BLOCK_SIZE, at + Statx.blksize);
  reply.writeUInt32LE(attributes.nlink, at + Statx.nlink);
  reply.writeUInt32LE(attributes.uid, at + Statx.uid);
  reply.writeUInt32LE(attributes.gid, at + Statx.gid);
  reply.writeUInt16LE(attributes.mode, at + Statx.mode);
  writeU64(reply, attributes.ino, at + Statx.ino);
  writeU64(reply, attributes.size, at + Statx.fileSize);
  writeU64(reply, sectorsOf(attributes), at + Statx.blocks);
  for (const time of [Statx.atime, Statx.ctime, Statx.mtime])
    writeStatxTime(reply, attributes.time, at + time);
  // The inverse of new_encode_dev(): minor in bits 0-7 and 20-31, major in bits 8-19.
  reply.writeUInt32LE((attributes.rdev >>> 8) & 0xfff, at + Statx.rdevMajor);
  reply.writeUInt32LE(
    (attributes.rdev & DEV_MINOR_LOW) | ((attributes.rdev >>> 12) & ~DEV_MINOR_LOW & 0xfffff),
    at + Statx.rdevMinor,
  );
  return reply;
}

function writeStatxTime(buffer: Buffer, time: Timestamp, at: number): void {
  writeS64(buffer, time.seconds, at);
  buffer.writeUInt32LE(time.nanoseconds, at + 8);
}

export function encodeOpen(answer: OpenAnswer): Buffer {
  const reply = Buffer.alloc(OpenOut.size);
  writeU64(reply, answer.handle, OpenOut.fh);
  reply.writeUInt32LE(answer.flags, OpenOut.openFlags);
  reply.writeInt32LE(answer.backingId ?? 0, OpenOut.backingId);
  return reply;
}

export function encodeStatfs(statistics: FileSystemStatistics): Buffer {
  const reply = Buffer.alloc(Statfs.size);
  writeU64(reply, statistics.blocks, Statfs.blocks);
  reply.writeBigUInt64LE(BigInt(statistics.files), Statfs.files);
  reply.writeBigUInt64LE(statistics.freeFiles ?? 0n, Statfs.ffree);
  reply.writeUInt32LE(statistics.blockSize, Statfs.bsize);
  reply.writeUInt32LE(statistics.blockSize, Statfs.frsize);
  reply.writeUInt32LE(255, Statfs.namelen);
  return reply;
}
