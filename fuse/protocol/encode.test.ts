import fc from 'fast-check';
import { fileHandle, nodeId, type Attributes, type BackingId } from '../file-system';
import {
  encodeAttributes,
  encodeEntry,
  encodeNegativeEntry,
  encodeOpen,
  encodeStatfs,
  encodeStatx,
  writeU64,
} from './encode';
import { Attr, AttrOut, EntryOut, OpenOut, Statfs, Statx, StatxOut } from './structures';

const attributes: Attributes = {
  ino: 2 ** 40 + 3,
  size: 2 ** 33 + 5,
  mode: 0o100644,
  nlink: 2,
  uid: 1000,
  gid: 0xffff_fffe,
  rdev: 0,
  time: { seconds: 1_700_000_000, nanoseconds: 999_999_999 },
};

test('replies have the sizes of the kernel structures', () => {
  expect(encodeEntry({ node: nodeId(2), attributes })).toHaveLength(128);
  expect(encodeNegativeEntry()).toHaveLength(128);
  expect(encodeAttributes(attributes)).toHaveLength(104);
  expect(encodeStatx(attributes)).toHaveLength(288);
  expect(encodeOpen({ handle: fileHandle(0), flags: 0 })).toHaveLength(16);
  expect(encodeStatfs({ blocks: 1, blockSize: 4096, files: 1 })).toHaveLength(80);
});

test('attributes stand where struct fuse_attr has them', () => {
  const reply = encodeAttributes(attributes).subarray(AttrOut.attr);
  expect(reply.readBigUInt64LE(Attr.ino)).toBe(2n ** 40n + 3n);
  expect(reply.readBigUInt64LE(Attr.fileSize)).toBe(2n ** 33n + 5n);
  // 512-byte units, in whole blocks of 4096.
  expect(reply.readBigUInt64LE(Attr.blocks)).toBe((2n ** 21n + 1n) * 8n);
  for (const at of [Attr.atime, Attr.mtime, Attr.ctime])
    expect(reply.readBigInt64LE(at)).toBe(1_700_000_000n);
  for (const at of [Attr.atimeNsec, Attr.mtimeNsec, Attr.ctimeNsec]) {
    expect(reply.readUInt32LE(at)).toBe(999_999_999);
  }
  expect(reply.readUInt32LE(Attr.mode)).toBe(0o100644);
  expect(reply.readUInt32LE(Attr.nlink)).toBe(2);
  expect(reply.readUInt32LE(Attr.uid)).toBe(1000);
  expect(reply.readUInt32LE(Attr.gid)).toBe(0xffff_fffe);
  expect(reply.readUInt32LE(Attr.blksize)).toBe(4096);
});

test('sectors and block size are those of the file system, where it has some of its own', () => {
  const own = { ...attributes, sectors: 3, blockSize: 512 };
  const attr = encodeAttributes(own).subarray(AttrOut.attr);
  expect(attr.readBigUInt64LE(Attr.blocks)).toBe(3n);
  expect(attr.readUInt32LE(Attr.blksize)).toBe(512);
  const statx = encodeStatx(own).subarray(StatxOut.stat);
  expect(statx.readBigUInt64LE(Statx.blocks)).toBe(3n);
  expect(statx.readUInt32LE(Statx.blksize)).toBe(512);
});

test('counts of inodes may be as large as statfs(2) has room for', () => {
  const reply = encodeStatfs({ blocks: 1, blockSize: 512, files: 2n ** 64n - 1n, freeFiles: 2n ** 64n - 2n });
  expect(reply.readBigUInt64LE(Statfs.files)).toBe(2n ** 64n - 1n);
  expect(reply.readBigUInt64LE(Statfs.ffree)).toBe(2n ** 64n - 2n);
  expect(encodeStatfs({ blocks: 1, blockSize: 512, files: 7 }).readBigUInt64LE(Statfs.ffree)).toBe(0n);
});

test('an entry is remembered for years, and so is a missing name', () => {
  const entry = encodeEntry({ node: nodeId(2 ** 52 + 1), attributes });
  expect(entry.readBigUInt64LE(EntryOut.nodeid)).toBe(2n ** 52n + 1n);
  const year = 31_536_000n;
  expect(entry.readBigUInt64LE(EntryOut.entryValid)).toBeGreaterThan(year);
  expect(entry.readBigUInt64LE(EntryOut.attrValid)).toBeGreaterThan(year);
  const missing = encodeNegativeEntry();
  expect(missing.readBigUInt64LE(EntryOut.nodeid)).toBe(0n);
  expect(missing.readBigUInt64LE(EntryOut.entryValid)).toBeGreaterThan(year);
});

test('times before 1970 are two’s complement in attr and statx', () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), (seconds) => {
      const old = { ...attributes, time: { seconds, nanoseconds: 1 } };
      expect(encodeAttributes(old).readBigInt64LE(AttrOut.attr + Attr.mtime)).toBe(BigInt(seconds));
      expect(encodeStatx(old).readBigInt64LE(StatxOut.stat + Statx.mtime)).toBe(BigInt(seconds));
    }),
    { seed: 1, numRuns: 200 },
  );
});

test('statx says that it has everything but the birth time', () => {
  const reply = encodeStatx(attributes).subarray(StatxOut.stat);
  expect(reply).toHaveLength(Statx.size);
  expect(reply.readUInt32LE(Statx.mask)).toBe(0x7ff);
  expect(reply.readUInt16LE(Statx.mode)).toBe(0o100644);
  expect(reply.readBigUInt64LE(Statx.fileSize)).toBe(2n ** 33n + 5n);
  expect(reply.readUInt32LE(Statx.mtime + 8)).toBe(999_999_999);
});

test('device numbers are taken apart for statx as new_decode_dev() does', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xfff }), fc.integer({ min: 0, max: 0xf_ffff }), (major, minor) => {
      const rdev = ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
      const reply = encodeStatx({ ...attributes, rdev }).subarray(StatxOut.stat);
      expect(reply.readUInt32LE(Statx.rdevMajor)).toBe(major);
      expect(reply.readUInt32LE(Statx.rdevMinor)).toBe(minor);
      expect(encodeAttributes({ ...attributes, rdev }).readUInt32LE(AttrOut.attr + Attr.rdev)).toBe(rdev);
    }),
    { seed: 2, numRuns: 200 },
  );
});

test('numbers of up to 53 bits are written exactly', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const buffer = Buffer.alloc(8);
      writeU64(buffer, value, 0);
      expect(buffer.readBigUInt64LE()).toBe(BigInt(value));
    }),
    { seed: 3, numRuns: 200 },
  );
});

test('an open carries handle, flags and backing id', () => {
  const reply = encodeOpen({ handle: fileHandle(77), flags: 128, backingId: 5 as BackingId });
  expect(reply.readBigUInt64LE(OpenOut.fh)).toBe(77n);
  expect(reply.readUInt32LE(OpenOut.openFlags)).toBe(128);
  expect(reply.readInt32LE(OpenOut.backingId)).toBe(5);
});

test('statfs shows a full file system', () => {
  const reply = encodeStatfs({ blocks: 2 ** 34, blockSize: 4096, files: 9 });
  expect(reply.readBigUInt64LE(Statfs.blocks)).toBe(2n ** 34n);
  expect(reply.readBigUInt64LE(Statfs.bfree)).toBe(0n);
  expect(reply.readBigUInt64LE(Statfs.bavail)).toBe(0n);
  expect(reply.readUInt32LE(Statfs.namelen)).toBe(255);
});
