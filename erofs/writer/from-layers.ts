import type { Nid } from '../brands';
import { CacheBudget } from '../cache-budget';
import { Decoding } from '../compression/decoding';
import type { DigestTableFile } from '../digests/digest-table';
import { UnitHasher } from '../digests/unit-hasher';
import { isDotOrDotDot } from '../directory-entries';
import { ErofsCorruptError } from '../errors';
import { FILE_TYPE, fileTypeOfMode } from '../format/dirent';
import { decodeDevice } from '../format/inode';
import { ErofsImage, type Inode } from '../image';
import { isDirectory } from '../inode';
import { AbsentContent } from './absent-content';
import type { Pace } from './pace';
import {
  toEntryName,
  type DirectoryNode,
  type EntryName,
  type NodeAttributes,
  type TreeNode,
  type Xattr,
} from './tree';

/** The images of layers whose merged metadata is to become an image. */
export interface LayersSource {
  /** Topmost first. */
  readonly layers: readonly LayerImage[];
}

export interface LayerImage {
  readonly path: string;
  /** What all that is read of it is compared with; nothing where it is left out. */
  readonly digests?: DigestTableFile | undefined;
}

/** Memory for metadata of all images (bytes): each stretch is read once, nearly in order. */
const METADATA_BUDGET = 4 * 1024 * 1024;

/** Entries of a directory that are read at a time. */
const BATCH = 1024;

/** What overlayfs keeps for itself: it means nothing where layers are merged already. */
const OVERLAY = Buffer.from('trusted.overlay.');
const OPAQUE = Buffer.from('trusted.overlay.opaque');
const OPAQUE_YES = Buffer.from('y');

/**
 * The tree that overlayfs makes of some layers, as fs/overlayfs/namei.c has it (without redirects and metacopies, which layers
 * have none of): directories are merged until something else, or one that is opaque, ends it; the roots always
 * are. Attributes are those of the topmost layer. Files say where their contents are.
 *
 * What it costs grows with the entries of the layers' directories that are to be seen. Rejects with ErofsErrors where an image is wrong.
 */
export async function readLayersTree({ layers }: LayersSource, pace: Pace): Promise<DirectoryNode> {
  await using opened = await OpenedLayers.open(layers);
  const parts: Part[] = [];
  for (const layer of opened.layers)
    parts.push({ layer, inode: await layer.image.inode(layer.image.rootNid) });
  const [top] = parts;
  if (top === undefined) throw new RangeError('no layers to merge');
  const root = await top.layer.directory(top.inode);
  const pending: Merging[] = [{ node: root, parts }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const below = await merge(next, pace);
    // Last in, first out: reversed, so that they are read in the order of the image.
    pending.push(...below.reverse());
  }
  return root;
}

class OpenedLayers implements AsyncDisposable {
  /** Topmost first. */
  readonly layers: Layer[] = [];
  readonly #hasher = new UnitHasher();
  readonly #budget = new CacheBudget(METADATA_BUDGET);
  readonly #decoding = new Decoding();

  static async open(layers: readonly LayerImage[]): Promise<OpenedLayers> {
    const opened = new OpenedLayers();
    try {
      for (const layer of layers) await opened.#add(layer);
      return opened;
    } catch (error) {
      await opened[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #add({ path, digests }: LayerImage): Promise<void> {
    const image = await ErofsImage.open(path, {
      budget: this.#budget,
      decoding: this.#decoding,
      ...(digests && { digests: { ...digests, hasher: this.#hasher } }),
    });
    this.layers.push(new Layer(image, this.layers.length));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { image } of this.layers.splice(0)) await image[Symbol.asyncDispose]();
    await this.#hasher[Symbol.asyncDispose]();
  }
}

/** A directory as one layer has it. */
interface Part {
  readonly layer: Layer;
  readonly inode: Inode;
}

/** A directory whose entries are to be found. */
interface Merging {
  readonly node: DirectoryNode;
  /** Topmost first. */
  readonly parts: Part[];
}

/** Finds the entries of a directory, and returns the directories among them. */
async function merge({ node, parts }: Merging, pace: Pace): Promise<Merging[]> {
  const directories = new Map<EntryName, Merging>();
  /** Names about which layers further below have nothing to say; those of what is no directory are not among them. */
  const settled = new Set<EntryName>();
  for (const { layer, inode: directory } of parts) {
    for await (const { name, nid } of layer.entries(directory)) {
      if (pace.due()) await pace.breathe();
      if (isDotOrDotDot(name)) continue;
      const key = toEntryName(name);
      const merging = directories.get(key);
      if (settled.has(key) || (merging === undefined && node.entries.has(key))) continue;
      const inode = layer.image.peekInode(nid) ?? (await layer.image.inode(nid));
      if (!isDirectory(inode)) {
        if (merging !== undefined || isWhiteout(inode)) settled.add(key);
        else node.entries.set(key, await layer.leaf(inode));
        continue;
      }
      layer.enter(nid);
      const part = { layer, inode };
      if (merging === undefined) {
        const child = await layer.directory(inode);
        node.entries.set(key, child);
        directories.set(key, { node: child, parts: [part] });
      } else {
        merging.parts.push(part);
      }
      if (await layer.isOpaque(inode)) settled.add(key);
    }
  }
  return [...directories.values()];
}

class Layer {
  /** Inodes with several names. */
  readonly #links = new Map<Nid, TreeNode>();
  readonly #entered = new Set<Nid>();

  constructor(
    readonly image: ErofsImage,
    private readonly number: number,
  ) {
    this.#entered.add(image.rootNid);
  }

  async *entries(directory: Inode): AsyncGenerator<{ readonly name: Buffer; readonly nid: Nid }> {
    for (let cookie = 0; ;) {
      const entries = await this.image.entriesFrom(directory, cookie, BATCH);
      const last = entries.at(-1);
      if (last === undefined) return;
      yield* entries;
      cookie = last.nextCookie;
    }
  }

  /** A directory that two entries lead to may be a cycle. */
  enter(nid: Nid): void {
    if (this.#entered.has(nid)) {
      throw new ErofsCorruptError(
        { image: this.image.label, nid, field: 'dirent.nid' },
        'a second entry leads to this directory',
      );
    }
    this.#entered.add(nid);
  }

  async isOpaque(directory: Inode): Promise<boolean> {
    return (await this.image.getXattr(directory, OPAQUE))?.equals(OPAQUE_YES) === true;
  }

  async directory(inode: Inode): Promise<DirectoryNode> {
    return { kind: 'directory', entries: new Map(), ...(await this.#attributes(inode)) };
  }

  /** Anything but a directory. */
  async leaf(inode: Inode): Promise<TreeNode> {
    const known = this.#links.get(inode.nid);
    if (known !== undefined) return known;
    const node = await this.#newLeaf(inode);
    if (inode.nlink > 1) this.#links.set(inode.nid, node);
    return node;
  }

  async #newLeaf(inode: Inode): Promise<TreeNode> {
    const attributes = await this.#attributes(inode);
    switch (fileTypeOfMode(inode.mode)) {
      case FILE_TYPE.REGULAR: {
        const content = new AbsentContent(inode.size, { layer: this.number, nid: inode.nid });
        return { kind: 'file', content, ...attributes };
      }
      case FILE_TYPE.SYMLINK:
        return { kind: 'symlink', target: Buffer.from(await this.image.readlink(inode)), ...attributes };
      case FILE_TYPE.CHARACTER_DEVICE:
        return { kind: 'character device', ...decodeDevice(inode.rdev), ...attributes };
      case FILE_TYPE.BLOCK_DEVICE:
        return { kind: 'block device', ...decodeDevice(inode.rdev), ...attributes };
      case FILE_TYPE.FIFO:
        return { kind: 'fifo', ...attributes };
      default:
        return { kind: 'socket', ...attributes };
    }
  }

  async #attributes(inode: Inode): Promise<NodeAttributes> {
    const { mode, uid, gid, mtime } = inode;
    return { permissions: mode & 0o7777, uid, gid, mtime, xattrs: await this.#xattrs(inode) };
  }

  async #xattrs(inode: Inode): Promise<readonly Xattr[]> {
    if (inode.xattrSize === 0) return NO_XATTRS;
    const found = await this.image.xattrs(inode);
    if (found.length === 0) return NO_XATTRS;
    // Of attributes that stand there twice, the first is the one that getxattr(2) finds.
    const xattrs = new Map<string, Xattr>();
    for (const { name, value } of found) {
      const key = name.toString('latin1');
      if (isOverlays(name) || xattrs.has(key)) continue;
      // Views of what was read, which would stay in memory for them.
      xattrs.set(key, { name: Buffer.from(name), value: Buffer.from(value) });
    }
    return [...xattrs.values()];
  }
}

const NO_XATTRS: readonly Xattr[] = [];

function isOverlays(name: Buffer): boolean {
  return name.subarray(0, OVERLAY.length).equals(OVERLAY);
}

/** overlayfs takes a character device 0:0 for a whiteout (Documentation/filesystems/overlayfs.rst). */
function isWhiteout({ mode, rdev }: Inode): boolean {
  return fileTypeOfMode(mode) === FILE_TYPE.CHARACTER_DEVICE && rdev === 0;
}
