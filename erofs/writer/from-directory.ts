import { lstatSync, readdirSync, readlinkSync, type BigIntStats } from 'node:fs';
import { errorCode } from '../../linux/errno';
import { getXattr, listXattrs } from '../../linux/xattr';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../format/dirent';
import { HostFileContent } from './content';
import { SourceChangedError, UnrepresentableError } from './errors';
import { entryPath, type HostDirectories, type HostDirectory } from './host-directories';
import { withoutOverlayXattrs } from './overlay-xattrs';
import type { Pace } from './pace';
import {
  toEntryName,
  type DirectoryNode,
  type NodeAttributes,
  type Timestamp,
  type TreeNode,
  type Xattr,
} from './tree';
import { HiddenNames, whiteoutName, type WhiteoutOwner } from './whiteout-files';

export interface DirectorySource {
  /** Absolute path; a symbolic link is not followed. */
  readonly directory: string;
  /**
   * The directory is an upper directory of overlayfs: what overlayfs keeps there for itself stays out of the image,
   * whiteouts (character device 0:0) and opaque directories stay in. Else all is taken as it is.
   */
  readonly overlay: boolean;
  /**
   * The directory is an unpacked OCI layer: `.wh.` names say what it hides of the layers below, see `whiteoutName`. Then
   * too, what overlayfs keeps for itself stays out.
   */
  readonly whiteoutFiles?: boolean | undefined;
}

/**
 * Reads the tree below a directory of the host into `root`: names and attributes; contents are read when they are
 * written, so `directories` must live until then. Hard links are recognised among the names of this tree. Mounts
 * inside are walked into like any directory. Throws SourceChangedError where somebody changes the tree meanwhile.
 */
export async function readDirectoryTree(
  source: DirectorySource,
  directories: HostDirectories,
  pace: Pace,
): Promise<DirectoryNode> {
  const walker = new Walker(source);
  const top = directories.top(source.directory);
  const root = walker.root(top);
  const pending: { directory: HostDirectory; node: DirectoryNode }[] = [{ directory: top, node: root }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { directory, node } = next;
    for (const name of walker.names(directory)) {
      if (pace.due()) await pace.breathe();
      if (walker.hides(directory, node, name)) continue;
      const child = walker.entry(directory, name);
      node.entries.set(toEntryName(name), child);
      if (child.kind === 'directory') {
        const below = unchanged(
          () => `${directory.shown}/${name.toString('utf8')}`,
          () => directories.child(directory, name),
        );
        pending.push({ directory: below, node: child });
      }
    }
  }
  walker.finish();
  return root;
}

class Walker {
  /** Inodes with several links, by device and inode number. */
  readonly #links = new Map<string, TreeNode>();
  readonly #hidden = new HiddenNames();

  constructor(private readonly source: DirectorySource) {}

  root(directory: HostDirectory): DirectoryNode {
    const stats = lstatSync(directory.path, { bigint: true });
    if (!stats.isDirectory()) throw new UnrepresentableError(directory.shown, 'is no directory');
    const attributes = this.attributes(directory.path, stats, 'directory', () => directory.shown);
    return { kind: 'directory', entries: new Map(), ...attributes };
  }

  names(directory: HostDirectory): Buffer[] {
    return unchanged(
      () => directory.shown,
      () => readdirSync(directory.path, { encoding: 'buffer' }),
    );
  }

  /** Takes in a name that is no file of the layer, but says what the layer hides. */
  hides(directory: HostDirectory, node: DirectoryNode, name: Buffer): boolean {
    if (this.source.whiteoutFiles !== true) return false;
    const meaning = whiteoutName(name.toString('latin1'));
    const shown = (): string => `${directory.shown}/${name.toString('utf8')}`;
    switch (meaning.kind) {
      case 'none':
        return false;
      case 'whiteout':
        this.#hidden.hide(node, meaning.hidden, this.whiteoutOwner(entryPath(directory, name), shown));
        return true;
      case 'opaque':
        this.#hidden.hideAll(node);
        return true;
      case 'private':
        return true;
      case 'invalid':
        throw new UnrepresentableError(shown(), 'a whiteout of no possible name');
    }
  }

  /** To be called once all directories were read. */
  finish(): void {
    this.#hidden.settle();
  }

  entry(directory: HostDirectory, name: Buffer): TreeNode {
    const path = entryPath(directory, name);
    const shown = (): string => `${directory.shown}/${name.toString('utf8')}`;
    return unchanged(shown, () => {
      const stats = lstatSync(path, { bigint: true });
      if (stats.nlink <= 1n || stats.isDirectory()) return this.node(directory, name, path, stats, shown);
      const key = `${stats.dev.toString()}:${stats.ino.toString()}`;
      let node = this.#links.get(key);
      if (node === undefined) {
        node = this.node(directory, name, path, stats, shown);
        this.#links.set(key, node);
      }
      return node;
    });
  }

  private node(
    directory: HostDirectory,
    name: Buffer,
    path: Buffer,
    stats: BigIntStats,
    shown: () => string,
  ): TreeNode {
    const kind = kindOf(stats, shown);
    const attributes = this.attributes(path, stats, kind, shown);
    switch (kind) {
      case 'directory':
        return { kind, entries: new Map(), ...attributes };
      case 'file': {
        const identity = {
          device: stats.dev,
          inode: stats.ino,
          size: Number(stats.size),
          mtimeNs: stats.mtimeNs,
        };
        return { kind, content: new HostFileContent(directory, name, identity), ...attributes };
      }
      case 'symlink':
        return { kind, target: readTarget(path, shown), ...attributes };
      case 'character device':
      case 'block device':
        return { kind, ...deviceNumbers(stats.rdev), ...attributes };
      case 'fifo':
      case 'socket':
        return { kind, ...attributes };
    }
  }

  /** What overlayfs reads in attributes must be what the layer means. */
  private get ofLayer(): boolean {
    return this.source.overlay || this.source.whiteoutFiles === true;
  }

  private whiteoutOwner(path: Buffer, shown: () => string): WhiteoutOwner {
    const { uid, gid, mtimeNs } = unchanged(shown, () => lstatSync(path, { bigint: true }));
    return { uid: Number(uid), gid: Number(gid), mtime: timestamp(mtimeNs, shown) };
  }

  private attributes(
    path: Buffer,
    stats: BigIntStats,
    kind: TreeNode['kind'],
    shown: () => string,
  ): NodeAttributes {
    const xattrs = readXattrs(path);
    return {
      permissions: Number(stats.mode) & 0o7777,
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      mtime: timestamp(stats.mtimeNs, shown),
      xattrs: this.ofLayer && xattrs.length > 0 ? withoutOverlayXattrs(xattrs, kind, shown) : xattrs,
    };
  }
}

/** Runs a step that fails with ENOENT or the like only where somebody changes the tree. */
function unchanged<T>(shown: () => string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new SourceChangedError(shown(), 'vanished or was replaced while the tree was read', {
        cause: error,
      });
    }
    throw error;
  }
}

function readTarget(path: Buffer, shown: () => string): Buffer {
  try {
    return readlinkSync(path, { encoding: 'buffer' });
  } catch (error) {
    if (errorCode(error) !== 'EINVAL') throw error;
    throw new SourceChangedError(shown(), 'was a symbolic link when the tree was read', { cause: error });
  }
}

const NO_XATTRS: readonly Xattr[] = [];

function readXattrs(path: Buffer): readonly Xattr[] {
  const names = listXattrs(path);
  if (names.length === 0) return NO_XATTRS;
  const xattrs: Xattr[] = [];
  for (const name of names) {
    const value = getXattr(path, name);
    // One that was removed since it was listed is not there.
    if (value !== undefined) xattrs.push({ name, value });
  }
  return xattrs;
}

function kindOf(stats: BigIntStats, shown: () => string): TreeNode['kind'] {
  switch (Number(stats.mode) & S_IFMT) {
    case S_IFDIR:
      return 'directory';
    case S_IFREG:
      return 'file';
    case S_IFLNK:
      return 'symlink';
    case S_IFCHR:
      return 'character device';
    case S_IFBLK:
      return 'block device';
    case S_IFIFO:
      return 'fifo';
    case S_IFSOCK:
      return 'socket';
    default:
      throw new UnrepresentableError(shown(), `a file of unknown type (mode ${stats.mode.toString(8)})`);
  }
}

const NS_PER_SECOND = 1_000_000_000n;

function timestamp(ns: bigint, shown: () => string): Timestamp {
  // BigInt division cuts towards zero; times before 1970 count their nanoseconds forward too.
  const nanoseconds = ((ns % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  const seconds = Number((ns - nanoseconds) / NS_PER_SECOND);
  if (!Number.isSafeInteger(seconds)) {
    throw new UnrepresentableError(shown(), `a modification time of ${ns.toString()} ns`);
  }
  return { seconds, nanoseconds: Number(nanoseconds) };
}

/** Takes apart a dev_t as stat(2) gives it through glibc (gnu_dev_major() and gnu_dev_minor()). */
function deviceNumbers(device: bigint): { major: number; minor: number } {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return { major: Number(major), minor: Number(minor) };
}
