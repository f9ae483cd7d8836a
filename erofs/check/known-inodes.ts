import type { Nid } from '../brands';
import { childPath } from '../directory-entries';
import type { Inode } from '../inode';

/** Longest path that is told (bytes): directories may be nested without end. */
const PATH_MAX = 4096;

const SLASH = Buffer.from('/');
const CUT = Buffer.from('...');

/** What the walk has learnt of one inode. */
export interface KnownInode {
  /** The directory that it was first found in; the root's is the root. */
  readonly parent: Nid;
  /** Its name there; empty for the root. */
  readonly name: Buffer;
  /** Undefined where it could not be read. */
  readonly inode: Inode | undefined;
  /** Names that lead to it. */
  names: number;
  /** Of a directory: how many directories lie in it. */
  subdirectories: number;
}

/** Every inode that names lead to, once. */
export class KnownInodes {
  readonly #inodes = new Map<Nid, KnownInode>();

  get size(): number {
    return this.#inodes.size;
  }

  get(nid: Nid): KnownInode | undefined {
    return this.#inodes.get(nid);
  }

  add(nid: Nid, parent: Nid, name: Buffer, inode: Inode | undefined): KnownInode {
    const known: KnownInode = { parent, name: Buffer.from(name), inode, names: 1, subdirectories: 0 };
    this.#inodes.set(nid, known);
    return known;
  }

  entries(): IterableIterator<[Nid, KnownInode]> {
    return this.#inodes.entries();
  }

  /** Path of an inode by the first name that led to it. */
  path(nid: Nid): Buffer {
    const names: Buffer[] = [];
    let length = 0;
    let at = this.#inodes.get(nid);
    while (at !== undefined && at.name.length > 0) {
      if (length > PATH_MAX) {
        names.unshift(CUT);
        return Buffer.concat(names);
      }
      names.unshift(SLASH, at.name);
      length += at.name.length + 1;
      at = this.#inodes.get(at.parent);
    }
    return names.length === 0 ? SLASH : Buffer.concat(names);
  }

  /** Path of a name in a directory. */
  pathIn(directory: Nid, name: Buffer): Buffer {
    return childPath(this.path(directory), name);
  }
}
