import type { ContentSource } from './content';
import { NAME_MAX } from '../format/dirent';

/**
 * What is to be written, wherever it comes from. A node is an inode: one that is found under several names, in one
 * directory or in many, is a hard link. Directories have exactly one name.
 */
export type TreeNode = DirectoryNode | FileNode | SymlinkNode | DeviceNode | FifoNode | SocketNode;

export interface Timestamp {
  /** Since 1970, negative before; a whole number that a JavaScript number holds exactly. */
  readonly seconds: number;
  /** 0 to 999,999,999, always counted forward from `seconds`. */
  readonly nanoseconds: number;
}

export interface Xattr {
  /** Full name with its namespace, such as `user.origin`. */
  readonly name: Buffer;
  readonly value: Buffer;
}

export interface NodeAttributes {
  /** Permission, setuid, setgid and sticky bits (0 to 0o7777). */
  permissions: number;
  uid: number;
  gid: number;
  mtime: Timestamp;
  /** In any order, each name once. */
  xattrs: readonly Xattr[];
}

export interface DirectoryNode extends NodeAttributes {
  readonly kind: 'directory';
  /** Without `.` and `..`. */
  readonly entries: Map<EntryName, TreeNode>;
}

export interface FileNode extends NodeAttributes {
  readonly kind: 'file';
  readonly content: ContentSource;
}

export interface SymlinkNode extends NodeAttributes {
  readonly kind: 'symlink';
  /** 1 to 4095 bytes without NUL. */
  readonly target: Buffer;
}

export interface DeviceNode extends NodeAttributes {
  readonly kind: 'character device' | 'block device';
  /** Character device 0:0 is a whiteout of overlayfs. */
  readonly major: number;
  readonly minor: number;
}

export interface FifoNode extends NodeAttributes {
  readonly kind: 'fifo';
}

export interface SocketNode extends NodeAttributes {
  readonly kind: 'socket';
}

declare const entryName: unique symbol;

/**
 * A name in a directory, one character for each byte (latin1): comparing two as strings compares their bytes, which
 * is the order that EROFS wants.
 */
export type EntryName = string & { readonly [entryName]: true };

/** `name` as a key of `DirectoryNode.entries`. Throws RangeError on what no directory can hold. */
export function toEntryName(name: Buffer): EntryName {
  const text = name.toString('latin1');
  if (name.length < 1 || name.length > NAME_MAX) throw new RangeError(`a name of ${name.length} bytes`);
  if (text === '.' || text === '..' || text.includes('/') || text.includes('\0')) {
    throw new RangeError(`not a name: ${JSON.stringify(text)}`);
  }
  return text as EntryName;
}

export function entryNameBytes(name: string): Buffer {
  return Buffer.from(name, 'latin1');
}

/** A name for messages: as UTF-8 where it is. */
export function shownName(name: string): string {
  return entryNameBytes(name).toString('utf8');
}
