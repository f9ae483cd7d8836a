import { Decoding, ErofsImage, type Inode } from '../../image';
import { isDirectory } from '../../inode';
import type { Pace } from '../pace';
import { entryNameBytes, type DirectoryNode, type NodeAttributes } from '../tree';

/** A directory in one of the layers below. */
interface LowerDirectory {
  readonly image: ErofsImage;
  readonly inode: Inode;
}

/** A directory in all of the layers below that have it, topmost first, as far down as overlayfs looks. */
type MergedDirectory = readonly LowerDirectory[];

const OPAQUE = Buffer.from('trusted.overlay.opaque');
/** Attributes that say something about a layer below, not about the directory. */
const OVERLAY_PRIVATE = /^(?:trusted|user)\.overlay\./;

/**
 * Gives directories of a layer the attributes that they have in the layers below.
 *
 * @param implied the directories to change, as far as they are in the tree and the layers below have them.
 * @param lower images, topmost first. Errors are those of ErofsImage.
 */
export async function inheritAttributes(
  root: DirectoryNode,
  implied: ReadonlySet<DirectoryNode>,
  lower: readonly string[],
  pace: Pace,
): Promise<void> {
  if (implied.size === 0 || lower.length === 0) return;
  // Mostly the root alone, which the topmost layer has: of a long chain the others need not be opened then.
  const needed = implied.size === 1 && implied.has(root) ? lower.slice(0, 1) : lower;
  await using images = await OpenImages.open(needed);
  const top = await roots(images.list);
  const pending: { node: DirectoryNode; merged: MergedDirectory }[] = [{ node: root, merged: top }];
  let left = implied.size;
  for (let next = pending.pop(); next !== undefined && left > 0; next = pending.pop()) {
    const { node, merged } = next;
    const [topmost] = merged;
    // What no layer has, no layer has anything below.
    if (topmost === undefined) continue;
    if (implied.has(node)) {
      Object.assign(node, await attributesOf(topmost));
      left--;
    }
    for (const [name, child] of node.entries) {
      if (child.kind !== 'directory') continue;
      pending.push({ node: child, merged: await below(merged, entryNameBytes(name)) });
      if (pace.due()) await pace.breathe();
    }
  }
}

/** Images that are open together. */
class OpenImages implements AsyncDisposable {
  readonly list: ErofsImage[] = [];

  static async open(paths: readonly string[]): Promise<OpenImages> {
    const images = new OpenImages();
    try {
      const decoding = new Decoding();
      for (const path of paths) images.list.push(await ErofsImage.open(path, { decoding }));
      return images;
    } catch (error) {
      await images[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const image of this.list.splice(0)) await image[Symbol.asyncDispose]();
  }
}

/** The directory of this name; empty where there is none. */
async function below(directory: MergedDirectory, name: Buffer): Promise<MergedDirectory> {
  const found: LowerDirectory[] = [];
  for (const { image, inode } of directory) {
    const entry = await image.lookup(inode, name);
    if (entry === undefined) continue;
    const child = { image, inode: await image.inode(entry.nid) };
    // A whiteout or another file: this layer and those below it have no such directory any more.
    if (!isDirectory(child.inode)) break;
    found.push(child);
    if (await isOpaque(child)) break;
  }
  return found;
}

async function roots(images: readonly ErofsImage[]): Promise<MergedDirectory> {
  const found: LowerDirectory[] = [];
  for (const image of images) {
    const root = { image, inode: await image.inode(image.rootNid) };
    found.push(root);
    if (await isOpaque(root)) break;
  }
  return found;
}

async function isOpaque({ image, inode }: LowerDirectory): Promise<boolean> {
  const value = await image.getXattr(inode, OPAQUE);
  return value?.toString('latin1') === 'y';
}

async function attributesOf({ image, inode }: LowerDirectory): Promise<NodeAttributes> {
  const xattrs = await image.xattrs(inode);
  return {
    permissions: inode.mode & 0o7777,
    uid: inode.uid,
    gid: inode.gid,
    mtime: inode.mtime,
    // Copies: the reader's buffers are views of a cache.
    xattrs: xattrs
      .filter(({ name }) => !OVERLAY_PRIVATE.test(name.toString('latin1')))
      .map(({ name, value }) => ({ name: Buffer.from(name), value: Buffer.from(value) })),
  };
}
