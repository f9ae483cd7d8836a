/**
 * The structures of the kernel's protocol as byte offsets (include/uapi/linux/fuse.h, 7.45). Integers are in host
 * order, which is little-endian on every machine this runs on (`device.ts` refuses others). `size` is the whole
 * structure in bytes.
 */

/** struct fuse_in_header: begins every request. */
export const InHeader = {
  len: 0,
  opcode: 4,
  unique: 8,
  nodeid: 16,
  uid: 24,
  gid: 28,
  pid: 32,
  totalExtlen: 36,
  size: 40,
} as const;

/** struct fuse_out_header: begins every reply and notification. */
export const OutHeader = { len: 0, error: 4, unique: 8, size: 16 } as const;

/** struct fuse_init_in. Before protocol 7.36 it ended after `flags`. */
export const InitIn = {
  major: 0,
  minor: 4,
  maxReadahead: 8,
  flags: 12,
  flags2: 16,
  size: 64,
  oldSize: 16,
} as const;

/** struct fuse_init_out. */
export const InitOut = {
  major: 0,
  minor: 4,
  maxReadahead: 8,
  flags: 12,
  maxBackground: 16,
  congestionThreshold: 18,
  maxWrite: 20,
  timeGranularity: 24,
  maxPages: 28,
  mapAlignment: 30,
  flags2: 32,
  maxStackDepth: 36,
  requestTimeout: 40,
  size: 64,
} as const;

/** struct fuse_attr. */
export const Attr = {
  ino: 0,
  fileSize: 8,
  blocks: 16,
  atime: 24,
  mtime: 32,
  ctime: 40,
  atimeNsec: 48,
  mtimeNsec: 52,
  ctimeNsec: 56,
  mode: 60,
  nlink: 64,
  uid: 68,
  gid: 72,
  rdev: 76,
  blksize: 80,
  flags: 84,
  size: 88,
} as const;

/** struct fuse_entry_out; `attr` is a struct fuse_attr. */
export const EntryOut = {
  nodeid: 0,
  generation: 8,
  entryValid: 16,
  attrValid: 24,
  entryValidNsec: 32,
  attrValidNsec: 36,
  attr: 40,
  size: 128,
} as const;

/** struct fuse_attr_out. */
export const AttrOut = { attrValid: 0, attrValidNsec: 8, attr: 16, size: 104 } as const;

/** struct fuse_statx_in. */
export const StatxIn = { getattrFlags: 0, fh: 8, sxFlags: 16, sxMask: 20, size: 24 } as const;

/** struct fuse_statx_out; `stat` is a struct fuse_statx. */
export const StatxOut = { attrValid: 0, attrValidNsec: 8, flags: 12, stat: 32, size: 288 } as const;

/** struct fuse_statx; the times are s64 seconds, u32 nanoseconds, 4 bytes of padding. */
export const Statx = {
  mask: 0,
  blksize: 4,
  attributes: 8,
  nlink: 16,
  uid: 20,
  gid: 24,
  mode: 28,
  ino: 32,
  fileSize: 40,
  blocks: 48,
  attributesMask: 56,
  atime: 64,
  btime: 80,
  ctime: 96,
  mtime: 112,
  rdevMajor: 128,
  rdevMinor: 132,
  size: 256,
} as const;

/** struct fuse_open_in and fuse_open_out. */
export const OpenIn = { flags: 0, openFlags: 4, size: 8 } as const;
export const OpenOut = { fh: 0, openFlags: 8, backingId: 12, size: 16 } as const;

/** struct fuse_read_in: READ, READDIR and READDIRPLUS. */
export const ReadIn = {
  fh: 0,
  offset: 8,
  length: 16,
  readFlags: 20,
  lockOwner: 24,
  flags: 32,
  size: 40,
} as const;

/** struct fuse_release_in. */
export const ReleaseIn = { fh: 0, flags: 8, releaseFlags: 12, lockOwner: 16, size: 24 } as const;

/** struct fuse_getxattr_in (GETXATTR: the name follows; LISTXATTR) and fuse_getxattr_out. */
export const GetxattrIn = { length: 0, name: 8, size: 8 } as const;
export const GetxattrOut = { length: 0, size: 8 } as const;

/** struct fuse_lseek_in and fuse_lseek_out. */
export const LseekIn = { fh: 0, offset: 8, whence: 16, size: 24 } as const;
export const LseekOut = { offset: 0, size: 8 } as const;

/** struct fuse_forget_in; BATCH_FORGET is a count and so many fuse_forget_one. */
export const ForgetIn = { nlookup: 0, size: 8 } as const;
export const BatchForgetIn = { count: 0, size: 8 } as const;
export const ForgetOne = { nodeid: 0, nlookup: 8, size: 16 } as const;

/** struct fuse_kstatfs, the whole of a STATFS reply. */
export const Statfs = {
  blocks: 0,
  bfree: 8,
  bavail: 16,
  files: 24,
  ffree: 32,
  bsize: 40,
  namelen: 44,
  frsize: 48,
  size: 80,
} as const;

/** struct fuse_dirent; in READDIRPLUS it follows a struct fuse_entry_out. Padded to 8 bytes. */
export const Dirent = { ino: 0, offset: 8, nameLength: 16, type: 20, name: 24, size: 24 } as const;

/** struct fuse_notify_inval_inode_out and fuse_notify_inval_entry_out (the name and a NUL follow). */
export const NotifyInvalInode = { nodeid: 0, offset: 8, length: 16, size: 24 } as const;
export const NotifyInvalEntry = { parent: 0, nameLength: 8, flags: 12, size: 16 } as const;

/** struct fuse_backing_map, the argument of FUSE_DEV_IOC_BACKING_OPEN. */
export const BackingMap = { fd: 0, flags: 4, padding: 8, size: 16 } as const;
