import type { ContentSource } from '../content';
import { withoutOverlayXattrs } from '../overlay-xattrs';
import {
  shownName,
  toEntryName,
  type DirectoryNode,
  type EntryName,
  type NodeAttributes,
  type TreeNode,
  type Xattr,
} from '../tree';
import { HiddenNames, whiteoutName } from '../whiteout-files';
import type { EntryForm, TarEntry } from './entry';
import { ImpossibleEntryError, shownPath } from './errors';

/** Links that are followed on the way to one name, as in Linux. */
const LINKS_MAX = 40;
/** Longest target of a symbolic link (bytes; PATH_MAX less its NUL). */
const TARGET_MAX = 4095;
/** Linux has 12 bits for the major number of a device and 20 for the minor (include/linux/kdev_t.h). */
const MAJOR_MAX = 0xfff;
const MINOR_MAX = 0xfffff;

/** Attributes of directories that no entry is about. */
const IMPLIED: NodeAttributes = {
  permissions: 0o755,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  xattrs: [],
};

/** A directory on the way to another. */
interface Step {
  readonly directory: DirectoryNode;
  readonly name: string;
}

/** An entry with its content, where it has one. */
export type PlacedEntry = TarEntry & { readonly content: ContentSource | undefined };

/**
 * The tree that the entries of a layer make, one after the other, as containerd unpacks them onto overlayfs:
 *
 * - Names lie inside the root: slashes in front count nothing, and `..` does not lead out of it.
 * - A directory on the way that no entry has made is implied, with the attributes of the layers below or IMPLIED.
 * - A symbolic link on the way is followed, inside the root, as far as this layer has it; what it leads to is implied.
 * - Of entries with the same name the last counts. A directory keeps its content where it comes again; anything else
 *   takes the place of what was there, and of all below.
 * - A hard link gives its file one more name, and changes nothing about it.
 * - `.wh.` names hide what the layers below have; see HiddenNames.
 *
 * Unlike containerd, and like GNU tar, it takes the attributes of an entry for the root itself, `trusted.` attributes,
 * times before 1970, and PAX records that are for all entries; see asContainerd for what is to be the same in these too.
 *
 * Errors are ImpossibleEntryErrors naming the entry.
 */
export class LayerTree {
  readonly root: DirectoryNode = { kind: 'directory', entries: new Map(), ...IMPLIED };
  readonly #implied = new Set<DirectoryNode>([this.root]);
  readonly #hidden = new HiddenNames();
  /** Directories with names of aufs, which stay until the end: old layers have hard links to such. */
  readonly #withPrivateNames = new Set<DirectoryNode>();

  /** @param rootEntries whether an entry for the root itself counts. */
  constructor(private readonly rootEntries = true) {}

  /** Path that an entry would get in the image, links on the way followed, for messages and rules. */
  pathOf(entry: TarEntry): string {
    const path = insideRoot(entry.name);
    const name = path.pop() ?? '';
    const way = this.#way(path, entry, true).map((step) => step.name);
    return `/${[...way, name].map(shownName).join('/')}`;
  }

  add(entry: PlacedEntry): void {
    const path = insideRoot(entry.name);
    const name = path.pop();
    if (name === undefined) {
      this.#setRoot(entry);
      return;
    }
    const parent = this.#directory(path, entry, true);
    const whiteout = whiteoutName(name);
    switch (whiteout.kind) {
      case 'whiteout':
        this.#hidden.hide(parent, whiteout.hidden, entry.attributes);
        return;
      case 'opaque':
        this.#hidden.hideAll(parent);
        return;
      case 'invalid':
        throw new ImpossibleEntryError(entry.place, 'a whiteout of no possible name');
      case 'private':
        this.#withPrivateNames.add(parent);
        break;
      case 'none':
        break;
    }
    this.#place(parent, checkedName(name, entry), entry);
  }

  /**
   * The whole tree, once all entries are in it and implied directories have the attributes that they are to have.
   *
   * @param bottom no layer lies below it, so there is nothing to hide.
   */
  finished(bottom = false): DirectoryNode {
    for (const directory of this.#withPrivateNames) {
      for (const name of directory.entries.keys()) {
        if (whiteoutName(name).kind === 'private') directory.entries.delete(name);
      }
    }
    if (!bottom) this.#hidden.settle();
    return this.root;
  }

  /** Directories that no entry is about; some may have been replaced since. */
  get implied(): ReadonlySet<DirectoryNode> {
    return this.#implied;
  }

  #setRoot(entry: PlacedEntry): void {
    if (entry.kind !== 'directory') {
      throw new ImpossibleEntryError(
        entry.place,
        `the name is that of the root, which cannot be a ${entry.kind}`,
      );
    }
    if (this.rootEntries) this.#setAttributes(this.root, entry);
  }

  #place(parent: DirectoryNode, name: EntryName, entry: PlacedEntry): void {
    const present = parent.entries.get(name);
    if (entry.kind === 'directory' && present?.kind === 'directory') {
      this.#setAttributes(present, entry);
      return;
    }
    parent.entries.set(
      name,
      entry.kind === 'hard link' ? this.#linked(entry, entry.target) : this.#node(entry),
    );
  }

  #setAttributes(directory: DirectoryNode, entry: TarEntry): void {
    Object.assign(directory, attributesOf(entry, 'directory'));
    this.#implied.delete(directory);
  }

  #node(entry: PlacedEntry & { kind: Exclude<EntryForm['kind'], 'hard link'> }): TreeNode {
    const { kind } = entry;
    const attributes = attributesOf(entry, kind);
    switch (kind) {
      case 'directory':
        return { kind, entries: new Map(), ...attributes };
      case 'file':
        if (entry.content === undefined)
          throw new Error(`${entry.name.toString()}: a file without its content`);
        return { kind, content: entry.content, ...attributes };
      case 'symlink':
        return { kind, target: checkedTarget(entry, entry.target), ...attributes };
      case 'character device':
      case 'block device':
        return { kind, ...checkedDevice(entry, entry.major, entry.minor), ...attributes };
      case 'fifo':
        return { kind, ...attributes };
    }
  }

  /** The file that a hard link is to. A symbolic link at the end of the name is meant itself. */
  #linked(entry: TarEntry, target: Buffer): TreeNode {
    const path = insideRoot(target);
    const name = path.pop();
    const parent = name === undefined ? undefined : this.#directory(path, entry, false);
    const node = parent?.entries.get(name as EntryName);
    const shown = shownPath(target);
    if (node === undefined) {
      throw new ImpossibleEntryError(
        entry.place,
        `a hard link to ${shown}, which the layer does not have before it`,
      );
    }
    if (node.kind === 'directory')
      throw new ImpossibleEntryError(entry.place, `a hard link to the directory ${shown}`);
    return node;
  }

  /**
   * The directory at a path of names, links followed. Where there is none it is implied if `create`, else undefined.
   */
  #directory(path: readonly string[], entry: TarEntry, create: true): DirectoryNode;
  #directory(path: readonly string[], entry: TarEntry, create: boolean): DirectoryNode | undefined;
  #directory(path: readonly string[], entry: TarEntry, create: boolean): DirectoryNode | undefined {
    const way = this.#way(path, entry, create);
    return way && (way.at(-1)?.directory ?? this.root);
  }

  /** All directories from below the root to the one at a path, links followed; otherwise like #directory. */
  #way(path: readonly string[], entry: TarEntry, create: true): Step[];
  #way(path: readonly string[], entry: TarEntry, create: boolean): Step[] | undefined;
  #way(path: readonly string[], entry: TarEntry, create: boolean): Step[] | undefined {
    const way: Step[] = [];
    let current = this.root;
    let links = 0;
    // The next name is the last of these.
    const ahead = [...path].reverse();
    for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
      if (name === '..') {
        way.pop();
        current = way.at(-1)?.directory ?? this.root;
        continue;
      }
      const child = current.entries.get(name as EntryName);
      if (child?.kind === 'symlink') {
        if (++links > LINKS_MAX)
          throw new ImpossibleEntryError(entry.place, 'too many symbolic links on the way to it');
        const target = child.target.toString('latin1');
        if (target.startsWith('/')) {
          current = this.root;
          way.length = 0;
        }
        for (const each of splitPath(target).reverse()) ahead.push(each);
        continue;
      }
      if (child !== undefined && child.kind !== 'directory') {
        throw new ImpossibleEntryError(
          entry.place,
          `it lies below ${shownName(name)}, which is a ${child.kind}`,
        );
      }
      if (child === undefined && !create) return undefined;
      current = child ?? this.#imply(current, name, entry);
      way.push({ directory: current, name });
    }
    return way;
  }

  #imply(parent: DirectoryNode, name: string, entry: TarEntry): DirectoryNode {
    switch (whiteoutName(name).kind) {
      case 'none':
        break;
      case 'private':
        this.#withPrivateNames.add(parent);
        break;
      case 'whiteout':
      case 'opaque':
      case 'invalid':
        throw new ImpossibleEntryError(entry.place, `it lies below ${shownName(name)}, which hides a name`);
    }
    const directory: DirectoryNode = { kind: 'directory', entries: new Map(), ...IMPLIED };
    parent.entries.set(checkedName(name, entry), directory);
    this.#implied.add(directory);
    return directory;
  }
}

/** The attributes that the file would have once it is unpacked. */
function attributesOf(entry: TarEntry, kind: TreeNode['kind']): NodeAttributes {
  const { attributes } = entry;
  // Whatever programs write into the header: Linux has no other permissions for them.
  const permissions = kind === 'symlink' ? 0o777 : attributes.permissions;
  const shown = (): string => `${entry.place.tar}, ${shownPath(entry.name)}`;
  const xattrs =
    attributes.xattrs.length === 0 ? attributes.xattrs : withoutOverlayXattrs(attributes.xattrs, kind, shown);
  // The attributes of users are for files and directories alone (xattr(7)).
  const possible =
    kind === 'file' || kind === 'directory' ? xattrs : xattrs.filter((xattr) => !isOfUser(xattr));
  return { ...attributes, permissions, xattrs: possible };
}

function isOfUser({ name }: Xattr): boolean {
  return name.toString('latin1').startsWith('user.');
}

function splitPath(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

/** The names on the way from the root (latin1), without `..`: it takes back the name before it, if there is one. */
function insideRoot(path: Buffer): string[] {
  const names: string[] = [];
  for (const name of splitPath(path.toString('latin1'))) {
    if (name === '..') names.pop();
    else names.push(name);
  }
  return names;
}

function checkedName(name: string, entry: TarEntry): EntryName {
  try {
    return toEntryName(Buffer.from(name, 'latin1'));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ImpossibleEntryError(entry.place, error.message, { cause: error });
  }
}

function checkedTarget(entry: TarEntry, target: Buffer): Buffer {
  if (target.length >= 1 && target.length <= TARGET_MAX) return target;
  throw new ImpossibleEntryError(entry.place, `a symbolic link with a target of ${target.length} bytes`);
}

function checkedDevice(entry: TarEntry, major: number, minor: number): { major: number; minor: number } {
  if (major >= 0 && major <= MAJOR_MAX && minor >= 0 && minor <= MINOR_MAX) return { major, minor };
  throw new ImpossibleEntryError(entry.place, `a device of the numbers ${major}:${minor}`);
}
