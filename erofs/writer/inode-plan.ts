import { toNid, type Nid } from '../brands';
import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
  fileTypeOfMode,
} from '../format/dirent';
import {
  DATA_LAYOUT,
  type DataLayout,
  INODE_FORMAT,
  NO_BLOCK_LOW,
  compactInodeRecord,
  encodeDevice,
  extendedInodeRecord,
} from '../format/inode';
import { xattrBodyRecord, XATTR_ALIGNMENT } from '../format/xattr';
import { AbsentContent, holeChunkFormat } from './absent-content';
import type { HiddenXattr } from './hidden-xattr';
import type { StoredContent } from './stored-content';
import { shownName, type Timestamp, type TreeNode } from './tree';
import type { XattrBody, XattrOwner } from './xattrs';

/** Largest owner, group and link count of a compact inode. */
const COMPACT_ID_MAX = 0xffff;
const COMPACT_SIZE_LIMIT = 2 ** 32;

/** Where the data of a directory or a symlink is. */
export interface OwnData {
  /** First block of what does not stand inline; meaningless where there is none. */
  readonly startBlock: number;
  readonly blocks: number;
  /** Bytes at the end of the data that stand right behind inode and attributes. */
  readonly inlineBytes: number;
}

const NO_DATA: OwnData = { startBlock: 0, blocks: 0, inlineBytes: 0 };

/** One inode on its way into the image. The passes of the layout fill it in, in the order of its fields. */
export class InodePlan implements XattrOwner {
  /** Names that point here; of a directory: itself, its name, and each subdirectory's `..`. */
  nlink: number;
  /** Directories: names with their inodes, sorted, `.` and `..` among them. */
  entries: readonly (readonly [string, InodePlan])[] = [];
  /** Bytes of data. */
  size = 0;
  extended = false;
  xattrBody: XattrBody | undefined;
  /** Files that are not empty: their content, once it is in the image. */
  content: StoredContent | undefined;
  nid: Nid = toNid(0);
  /** Directories and symlinks: where their data is. */
  data: OwnData = NO_DATA;

  constructor(
    readonly node: TreeNode,
    /** Undefined: this is the root. */
    readonly parent: InodePlan | undefined,
    /** First name in tree order. */
    readonly name: string,
    /** Counted from 1. */
    readonly serial: number,
  ) {
    this.nlink = node.kind === 'directory' ? 2 : 1;
  }

  get xattrs(): TreeNode['xattrs'] {
    return this.node.xattrs;
  }

  get regularFile(): boolean {
    return this.node.kind === 'file';
  }

  /** Regular files have a fingerprint unless they are empty, or their content is absent. */
  get fingerprinted(): boolean {
    return this.regularFile && this.size > 0 && this.absent === undefined;
  }

  /** Of a regular file whose content is in another image. */
  get absent(): AbsentContent | undefined {
    const { node } = this;
    return node.kind === 'file' && node.content instanceof AbsentContent ? node.content : undefined;
  }

  get note(): HiddenXattr | undefined {
    return this.absent?.note;
  }

  get fileType(): number {
    return fileTypeOfMode(this.mode);
  }

  get mode(): number {
    return typeBits(this.node) | this.node.permissions;
  }

  /** Bytes of inode and attributes. */
  get headSize(): number {
    const inode = this.extended ? extendedInodeRecord.size : compactInodeRecord.size;
    return inode + (this.xattrBody?.size ?? 0);
  }

  /** Path inside the image, for messages. */
  shown(): string {
    const names: string[] = [];
    let { name, parent }: { name: string; parent: InodePlan | undefined } = this;
    while (parent !== undefined) {
      names.push(shownName(name));
      ({ name, parent } = parent);
    }
    return `/${names.reverse().join('/')}`;
  }

  /** Whether a compact inode holds everything, in an image whose compact inodes have this time. */
  fitsCompact(epoch: Timestamp): boolean {
    const { uid, gid, mtime } = this.node;
    return (
      mtime.seconds === epoch.seconds &&
      mtime.nanoseconds === epoch.nanoseconds &&
      this.fitsCompactBut(uid, gid)
    );
  }

  /** Whether all but the time fits a compact inode. */
  mayBeCompact(): boolean {
    return this.fitsCompactBut(this.node.uid, this.node.gid);
  }

  /** The inode as it stands in the image, without attributes. */
  encode(): Buffer {
    const { node } = this;
    const record = this.extended ? extendedInodeRecord : compactInodeRecord;
    const bytes = Buffer.alloc(record.size);
    const common = {
      format: (this.layout << INODE_FORMAT.LAYOUT_SHIFT) | (this.extended ? INODE_FORMAT.EXTENDED : 0),
      xattrCount: xattrCount(this.xattrBody),
      mode: this.mode,
      size: this.size,
      ...this.dataField(),
      ino: this.serial,
      uid: node.uid,
      gid: node.gid,
    };
    if (this.extended) {
      const { seconds, nanoseconds } = node.mtime;
      const { nlink } = this;
      extendedInodeRecord.write(bytes, 0, {
        ...common,
        mtime: seconds,
        mtimeNanoseconds: nanoseconds,
        nlink,
      });
    } else {
      // The time stays zero: it counts from the epoch since Linux 6.15 and says nothing before.
      compactInodeRecord.write(bytes, 0, { ...common, nlink: this.nlink });
    }
    return bytes;
  }

  private get layout(): DataLayout {
    if (this.content !== undefined) return this.content.layout;
    return this.data.inlineBytes > 0 ? DATA_LAYOUT.FLAT_INLINE : DATA_LAYOUT.FLAT_PLAIN;
  }

  private dataField():
    { rdev: number } | { blocksLow: number } | { startBlockLow: number } | { chunkFormat: number } {
    const { node, content } = this;
    if (node.kind === 'character device' || node.kind === 'block device') {
      return { rdev: encodeDevice(node.major, node.minor) };
    }
    if (content?.layout === DATA_LAYOUT.CHUNK_BASED) return { chunkFormat: holeChunkFormat(this.size) };
    if (content?.algorithm !== undefined) return { blocksLow: content.blocks };
    const { blocks, startBlock } = content ?? this.data;
    return { startBlockLow: blocks > 0 ? startBlock : NO_BLOCK_LOW };
  }

  private fitsCompactBut(uid: number, gid: number): boolean {
    return (
      uid <= COMPACT_ID_MAX &&
      gid <= COMPACT_ID_MAX &&
      this.nlink <= COMPACT_ID_MAX &&
      this.size < COMPACT_SIZE_LIMIT
    );
  }
}

function xattrCount(body: XattrBody | undefined): number {
  return body === undefined ? 0 : 1 + (body.size - xattrBodyRecord.size) / XATTR_ALIGNMENT;
}

function typeBits(node: TreeNode): number {
  switch (node.kind) {
    case 'directory':
      return S_IFDIR;
    case 'file':
      return S_IFREG;
    case 'symlink':
      return S_IFLNK;
    case 'character device':
      return S_IFCHR;
    case 'block device':
      return S_IFBLK;
    case 'fifo':
      return S_IFIFO;
    case 'socket':
      return S_IFSOCK;
  }
}
