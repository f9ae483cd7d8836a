import type { Nid } from '../brands';
import { childPath, directoryEntries, isDotOrDotDot, type NamedInode } from '../directory-entries';
import { ErofsCorruptError } from '../errors';
import { S_IFMT } from '../format/dirent';
import type { ErofsImage, Inode } from '../image';
import { isDirectory, isRegularFile, isSymlink } from '../inode';
import type { Contents } from './contents';

/** What of a file may differ. `links`: the number of names that lead to it. */
export type Aspect =
  'type' | 'content' | 'target' | 'device' | 'mode' | 'owner' | 'time' | 'links' | 'xattrs';

/** A path that the trees do not have alike. */
export interface Difference {
  readonly kind: 'added' | 'removed' | 'changed';
  readonly path: Buffer;
  /** What has changed; empty for what was added or removed. */
  readonly aspects: readonly Aspect[];
}

/** A path with what it is in either image, at least in one. */
interface Pair {
  readonly path: Buffer;
  readonly before: Inode | undefined;
  readonly after: Inode | undefined;
}

const SLASH = Buffer.from('/');

/**
 * The paths that differ between two images, a directory before what is in it, otherwise in the order of bytes. Contents
 * are compared by their digests, of which those that an image claims are believed.
 */
export async function* compareTrees(before: Contents, after: Contents): AsyncGenerator<Difference> {
  const sides = { before: new Side(before.image), after: new Side(after.image) };
  const waiting: Pair[] = [
    {
      path: SLASH,
      before: await before.image.inode(before.image.rootNid),
      after: await after.image.inode(after.image.rootNid),
    },
  ];
  for (let pair = waiting.pop(); pair !== undefined; pair = waiting.pop()) {
    const difference = await differenceOf(pair, before, after);
    if (difference !== undefined) yield difference;
    const old = await sides.before.childrenOf(pair.before);
    const young = await sides.after.childrenOf(pair.after);
    const below = merged(pair.path, old, young);
    for (let index = below.length - 1; index >= 0; index--) {
      const child = below[index];
      if (child === undefined) continue;
      waiting.push({
        path: child.path,
        before: child.before === undefined ? undefined : await before.image.inode(child.before),
        after: child.after === undefined ? undefined : await after.image.inode(child.after),
      });
    }
  }
}

async function differenceOf(pair: Pair, before: Contents, after: Contents): Promise<Difference | undefined> {
  const { path } = pair;
  if (pair.before === undefined) return { kind: 'added', path, aspects: [] };
  if (pair.after === undefined) return { kind: 'removed', path, aspects: [] };
  const aspects = await changedAspects(pair.before, pair.after, before, after);
  return aspects.length === 0 ? undefined : { kind: 'changed', path, aspects };
}

async function changedAspects(
  old: Inode,
  young: Inode,
  before: Contents,
  after: Contents,
): Promise<Aspect[]> {
  const aspects: Aspect[] = [];
  if ((old.mode & S_IFMT) !== (young.mode & S_IFMT)) {
    aspects.push('type');
  } else {
    if (isRegularFile(old) && !(await haveSameContent(old, young, before, after))) aspects.push('content');
    if (isSymlink(old)) {
      const [left, right] = [await before.image.readlink(old), await after.image.readlink(young)];
      if (!left.equals(right)) aspects.push('target');
    }
    if (old.rdev !== young.rdev) aspects.push('device');
    // The links of a directory follow from what is in it.
    if (!isDirectory(old) && old.nlink !== young.nlink) aspects.push('links');
  }
  if ((old.mode & ~S_IFMT) !== (young.mode & ~S_IFMT)) aspects.push('mode');
  if (old.uid !== young.uid || old.gid !== young.gid) aspects.push('owner');
  const { mtime } = young;
  if (old.mtime.seconds !== mtime.seconds || old.mtime.nanoseconds !== mtime.nanoseconds)
    aspects.push('time');
  if ((await xattrsOf(before.image, old)) !== (await xattrsOf(after.image, young))) aspects.push('xattrs');
  return aspects;
}

async function haveSameContent(
  old: Inode,
  young: Inode,
  before: Contents,
  after: Contents,
): Promise<boolean> {
  if (old.size !== young.size) return false;
  return old.size === 0 || (await before.digestOf(old)) === (await after.digestOf(young));
}

/** All attributes but the fingerprint, which follows from the content, as a text. */
async function xattrsOf(image: ErofsImage, inode: Inode): Promise<string> {
  const { fingerprintPrefix } = image.superblock;
  const fingerprint =
    fingerprintPrefix === undefined ? undefined : (await image.longPrefixes())[fingerprintPrefix]?.full;
  const xattrs = await image.xattrs(inode);
  return xattrs
    .filter(({ name }) => fingerprint === undefined || !name.equals(fingerprint))
    .map(({ name, value }) => `${name.toString('hex')}=${value.toString('hex')}`)
    .sort()
    .join();
}

interface Child {
  readonly path: Buffer;
  readonly before: Nid | undefined;
  readonly after: Nid | undefined;
}

/** The names of two directories, each once, in the order of bytes. Both are sorted. */
function merged(directory: Buffer, old: readonly NamedInode[], young: readonly NamedInode[]): Child[] {
  const children: Child[] = [];
  for (let left = 0, right = 0; left < old.length || right < young.length;) {
    const [before, after] = [old[left], young[right]];
    const order = before === undefined ? 1 : after === undefined ? -1 : before.name.compare(after.name);
    const name = order <= 0 ? before?.name : after?.name;
    children.push({
      path: childPath(directory, name ?? Buffer.alloc(0)),
      before: order <= 0 ? before?.nid : undefined,
      after: order >= 0 ? after?.nid : undefined,
    });
    if (order <= 0) left++;
    if (order >= 0) right++;
  }
  return children;
}

/** The tree of one image. */
class Side {
  readonly #directories = new Set<Nid>();

  constructor(private readonly image: ErofsImage) {}

  /** What is in a directory, sorted; nothing for anything else. Each directory is entered once: it may hold itself. */
  async childrenOf(inode: Inode | undefined): Promise<NamedInode[]> {
    if (inode === undefined || !isDirectory(inode)) return [];
    if (this.#directories.has(inode.nid)) {
      const site = { image: this.image.label, nid: inode.nid, field: 'dirent.nid' };
      throw new ErofsCorruptError(site, 'a second entry leads to this directory');
    }
    this.#directories.add(inode.nid);
    const found: NamedInode[] = [];
    for await (const entry of directoryEntries(this.image, inode)) {
      if (!isDotOrDotDot(entry.name)) found.push(entry);
    }
    return found.sort((left, right) => left.name.compare(right.name));
  }
}
