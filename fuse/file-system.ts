/** Number by which the kernel knows an inode of one connection; 1 is the root. At most 53 bits are used here. */
export type NodeId = number & { readonly __brand: 'NodeId' };
export const nodeId = (value: number): NodeId => value as NodeId;
export const ROOT_NODE = nodeId(1);

/** Number by which the daemon knows an opened file; 0 where it keeps no state for it. */
export type FileHandle = number & { readonly __brand: 'FileHandle' };
export const fileHandle = (value: number): FileHandle => value as FileHandle;
export const NO_HANDLE = fileHandle(0);

/** Number of a file registered with FUSE_DEV_IOC_BACKING_OPEN, valid for one connection. */
export type BackingId = number & { readonly __brand: 'BackingId' };

/**
 * Gives memory for an answer, of so many bytes. It holds whatever it held before, and is used for other answers once
 * this one is written: nothing may be kept in it.
 */
export type Allocate = (length: number) => Buffer;

export interface Timestamp {
  /** Seconds since 1970, negative before. */
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What stat(2) shows of an inode. Images have one time: it is given as atime, mtime and ctime. */
export interface Attributes {
  readonly ino: number;
  /** Bytes. With passthrough it must equal the size of the backing file. */
  readonly size: number;
  /** File type and permission bits, as st_mode. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Encoded as the kernel's new_encode_dev() does. */
  readonly rdev: number;
  readonly time: Timestamp;
  /** st_blocks, in units of 512 bytes. Absent: `size`, rounded up to pages. */
  readonly sectors?: number;
  /** st_blksize: a power of two, at most a page. Absent: a page. */
  readonly blockSize?: number;
}

/** The answer to a LOOKUP: an inode, or `undefined` for a name that does not exist (the kernel remembers both). */
export interface Entry {
  readonly node: NodeId;
  /**
   * Tells apart what bears the same node id one after the other: the kernel takes an inode of another generation for
   * gone. Absent: 0.
   */
  readonly generation?: number;
  readonly attributes: Attributes;
}

export interface OpenAnswer {
  readonly handle: FileHandle;
  /** OpenFlag bits. */
  readonly flags: number;
  readonly backingId?: BackingId;
}

export interface DirectoryItem {
  readonly name: Buffer;
  readonly ino: number;
  /** DT_* of readdir(3), which is `mode >> 12`. */
  readonly type: number;
  /** Position after this entry: a later READDIR asks from here. Never 0. */
  readonly nextCookie: number;
  /** For READDIRPLUS. Absent for "." and "..", whose lookups the kernel does not count. */
  readonly entry?: Entry;
}

/** Takes the entries of one READDIR reply. */
export interface DirectorySink {
  /** Whether entries should come with their `entry` (READDIRPLUS). */
  readonly plus: boolean;
  /** False when the reply is full; the entry was not taken then. */
  add(item: DirectoryItem): boolean;
}

export interface FileSystemStatistics {
  /** In units of blockSize. */
  readonly blocks: number;
  readonly blockSize: number;
  readonly files: number | bigint;
  /** Inodes that could still be made. Absent: none. */
  readonly freeFiles?: bigint;
}

export type MaybePromise<Value> = Value | Promise<Value>;

/**
 * A read-only file system as the engine sees it. An operation fails by throwing an error whose `code` is an errno
 * name (see errors.ts). An operation that is absent is answered so that the kernel stops asking: without `open` it opens
 * files by itself, with everything cached, as it always does directories.
 */
export interface FileSystem {
  lookup(parent: NodeId, name: Buffer): MaybePromise<Entry | undefined>;
  attributes(node: NodeId): MaybePromise<Attributes>;
  /**
   * Attributes for callers that also ask for a birth time, as stat(1) and libuv do. Absent: the kernel learns that
   * there is none to be had, and is content with what it has from LOOKUP, which saves a request for each inode.
   */
  statx?(node: NodeId): MaybePromise<Attributes>;
  readlink(node: NodeId): MaybePromise<Buffer>;
  /**
   * `flags` are those of open(2). `unique` is the request's number; its highest bit is set where the kernel has asked another
   * process before that did not answer, or died right after it had.
   */
  open?(node: NodeId, flags: number, unique: bigint): MaybePromise<OpenAnswer>;
  /** After the last descriptor is closed. The kernel also calls it for an open whose reply it no longer wanted. */
  release?(node: NodeId, handle: FileHandle, unique: bigint): void;
  /**
   * Up to `length` bytes from `offset`: all of them, unless the file ends before. `uncached`: the kernel will not keep
   * them, because the file was opened with O_DIRECT, or answered with DIRECT_IO and not mapped. The answer may be in memory
   * from `allocate`, or in any other.
   */
  read(
    node: NodeId,
    handle: FileHandle,
    offset: number,
    length: number,
    uncached: boolean,
    allocate: Allocate,
  ): MaybePromise<Buffer>;
  /** Gives the entries from `cookie` (0: the first) to the sink until it is full or the directory ends. */
  readDirectory(node: NodeId, cookie: number, sink: DirectorySink): MaybePromise<void>;
  /** Undefined where the inode has no such attribute. */
  getXattr(node: NodeId, name: Buffer): MaybePromise<Buffer | undefined>;
  listXattrs(node: NodeId): MaybePromise<readonly Buffer[]>;
  statistics(): MaybePromise<FileSystemStatistics>;
  /** SEEK_DATA and SEEK_HOLE. Absent: the kernel treats files as all data. */
  seek?(node: NodeId, offset: number, whence: number): MaybePromise<number>;
  forget?(node: NodeId, lookups: number): void;
  /** No request waits: a short piece of work may be done ahead of the next ones, or begun. Must not throw. */
  idle?(): void;
}
