/**
 * INIT capabilities by bit number (FUSE_* in include/uapi/linux/fuse.h). Bits from 32 up travel in `flags2` and
 * count only when INIT_EXT is set.
 */
export const Capability = {
  ASYNC_READ: 0,
  EXPORT_SUPPORT: 4,
  DO_READDIRPLUS: 13,
  READDIRPLUS_AUTO: 14,
  NO_OPEN_SUPPORT: 17,
  PARALLEL_DIROPS: 18,
  POSIX_ACL: 20,
  ABORT_ERROR: 21,
  MAX_PAGES: 22,
  CACHE_SYMLINKS: 23,
  NO_OPENDIR_SUPPORT: 24,
  EXPLICIT_INVAL_DATA: 25,
  INIT_EXT: 30,
  DIRECT_IO_ALLOW_MMAP: 36,
  PASSTHROUGH: 37,
  NO_EXPORT_SUPPORT: 38,
  HAS_RESEND: 39,
} as const;

export type CapabilityName = keyof typeof Capability;

/** How the kernel treats an opened file (FOPEN_*). */
export const OpenFlag = {
  DIRECT_IO: 1,
  /** Without it every open drops the file's cached pages. Never together with PASSTHROUGH: EIO. */
  KEEP_CACHE: 2,
  NONSEEKABLE: 4,
  CACHE_DIR: 8,
  STREAM: 16,
  /** close(2) sends no FLUSH, so a close never waits for the daemon. */
  NOFLUSH: 32,
  PARALLEL_DIRECT_WRITES: 64,
  PASSTHROUGH: 128,
} as const;

/** Flags of a READ (FUSE_READ_*). */
export const ReadFlag = {
  /** Set for reads past the page cache, and only there (fuse_direct_io in fs/fuse/file.c). */
  LOCKOWNER: 2,
} as const;

/** Notifications that the daemon may send (enum fuse_notify_code). */
export const Notification = {
  INVAL_INODE: 2,
  INVAL_ENTRY: 3,
  STORE: 4,
  RETRIEVE: 5,
  DELETE: 6,
  RESEND: 7,
  INC_EPOCH: 8,
  PRUNE: 9,
} as const;

/** whence values of LSEEK that reach a FUSE daemon. */
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;
