import type { Nid } from './brands';
import { isDotOrDotDot } from './directory-entries';
import { ErofsCorruptError } from './errors';
import type { ErofsImage } from './image';
import { isDirectory, type Inode } from './inode';

/** Directory entries that are held at a time. */
const BATCH = 1024;

/**
 * The root and everything below it that is wanted, each inode once. Goes by the inodes' modes alone, since a directory entry may
 * lie about the type. A directory that two entries lead to is refused: it may be a cycle.
 */
export async function* walkInodes(
  image: ErofsImage,
  inodeOf: (nid: Nid) => Inode | Promise<Inode>,
  wanted: (inode: Inode) => boolean = () => true,
): AsyncGenerator<Inode> {
  const root = await inodeOf(image.rootNid);
  if (wanted(root)) yield root;
  const seen = new Set<Nid>([image.rootNid]);
  const directories: Nid[] = [image.rootNid];
  for (let nid = directories.pop(); nid !== undefined; nid = directories.pop()) {
    const directory = await inodeOf(nid);
    const below: Nid[] = [];
    for await (const children of childrenOf(image, directory)) {
      // mkfs lays inodes of one directory out together: in the order of nids the metadata is read forward.
      children.sort((left, right) => left - right);
      for (const child of children) {
        const found = inodeOf(child);
        const inode = found instanceof Promise ? await found : found;
        if (seen.has(child)) {
          if (!isDirectory(inode)) continue;
          throw new ErofsCorruptError(
            { image: image.label, nid: child, field: 'dirent.nid' },
            'a second entry leads to this directory',
          );
        }
        seen.add(child);
        if (isDirectory(inode)) below.push(child);
        if (wanted(inode)) yield inode;
      }
    }
    // The first comes last, to be taken next: mkfs lays directories out in this order, and so they are read forward.
    for (const child of below.reverse()) directories.push(child);
  }
}

async function* childrenOf(image: ErofsImage, directory: Inode): AsyncGenerator<Nid[]> {
  for (let cookie = 0; ;) {
    const entries = await image.entriesFrom(directory, cookie, BATCH);
    const last = entries.at(-1);
    if (last === undefined) return;
    yield entries.filter(({ name }) => !isDotOrDotDot(name)).map(({ nid }) => nid);
    cookie = last.nextCookie;
  }
}
