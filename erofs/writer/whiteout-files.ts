import { toEntryName, type DirectoryNode, type EntryName, type NodeAttributes, type TreeNode } from './tree';

/**
 * Names that say what a layer hides of the layers below, as OCI layers have them (image-spec, layer.md, "Whiteouts",
 * which took them from aufs). In an image they become what overlayfs reads.
 */

const PREFIX = '.wh.';
const OPAQUE_NAME = '.wh..wh..opq';
/** Names that aufs keeps for itself, such as its store of hard links. They mean nothing to anybody else. */
const PRIVATE_PREFIX = '.wh..wh.';

export type WhiteoutName =
  | { readonly kind: 'none' }
  /** What the layers below have under this name is hidden. */
  | { readonly kind: 'whiteout'; readonly hidden: EntryName }
  /** All that the layers below have in this directory is hidden. */
  | { readonly kind: 'opaque' }
  /** Of aufs alone: not part of the layer. */
  | { readonly kind: 'private' }
  /** It hides nothing that could be. */
  | { readonly kind: 'invalid' };

/** What a name in a layer says. @param name one character for each byte (latin1). */
export function whiteoutName(name: string): WhiteoutName {
  if (!name.startsWith(PREFIX)) return { kind: 'none' };
  if (name === OPAQUE_NAME) return { kind: 'opaque' };
  if (name.startsWith(PRIVATE_PREFIX)) return { kind: 'private' };
  try {
    return { kind: 'whiteout', hidden: toEntryName(Buffer.from(name.slice(PREFIX.length), 'latin1')) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { kind: 'invalid' };
  }
}

/** What a whiteout keeps of the file that stands for it. */
export type WhiteoutOwner = Pick<NodeAttributes, 'uid' | 'gid' | 'mtime'>;

interface Hiding {
  opaque: boolean;
  readonly names: Map<EntryName, WhiteoutOwner>;
}

/**
 * Gathers what the directories of a layer hide, and puts it into them once the layer is known. Only layers below are
 * hidden, in whatever order names come: what the layer itself has stays. Where it has a directory under a name that it
 * hides, the directory begins anew, which overlayfs calls opaque.
 */
export class HiddenNames {
  readonly #directories = new Map<DirectoryNode, Hiding>();

  hide(directory: DirectoryNode, name: EntryName, owner: WhiteoutOwner): void {
    this.#of(directory).names.set(name, owner);
  }

  hideAll(directory: DirectoryNode): void {
    this.#of(directory).opaque = true;
  }

  /** Makes whiteouts and opaque directories of what was gathered. */
  settle(): void {
    for (const [directory, hiding] of this.#directories) {
      if (hiding.opaque) makeOpaque(directory);
      for (const [name, owner] of hiding.names) {
        const own = directory.entries.get(name);
        if (own === undefined) directory.entries.set(name, whiteout(owner));
        else if (own.kind === 'directory') makeOpaque(own);
      }
    }
    this.#directories.clear();
  }

  #of(directory: DirectoryNode): Hiding {
    let hiding = this.#directories.get(directory);
    if (hiding === undefined) {
      hiding = { opaque: false, names: new Map() };
      this.#directories.set(directory, hiding);
    }
    return hiding;
  }
}

/** Overlayfs makes whiteouts without permissions (Documentation/filesystems/overlayfs.rst: character device 0:0). */
function whiteout({ uid, gid, mtime }: WhiteoutOwner): TreeNode {
  return { kind: 'character device', major: 0, minor: 0, permissions: 0, uid, gid, mtime, xattrs: [] };
}

const OPAQUE_XATTR = { name: Buffer.from('trusted.overlay.opaque'), value: Buffer.from('y') };

function makeOpaque(directory: DirectoryNode): void {
  const others = directory.xattrs.filter(({ name }) => !name.equals(OPAQUE_XATTR.name));
  directory.xattrs = [...others, OPAQUE_XATTR];
}
