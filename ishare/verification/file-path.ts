import type { Nid } from '../../erofs/brands';
import { childPath, directoryEntries, isDotOrDotDot } from '../../erofs/directory-entries';
import { ErofsError } from '../../erofs/errors';
import type { ErofsImage } from '../../erofs/image';
import { isDirectory } from '../../erofs/inode';

/** Longest path that is told (bytes): directories may be nested without end. */
const PATH_MAX = 4096;

/**
 * A path that leads to an inode, found by walking the tree: for messages about one inode in many. `nid N` where no path of
 * bearable length does, or where the tree cannot be read.
 */
export async function filePath(image: ErofsImage, wanted: Nid): Promise<string> {
  const nameless = `nid ${wanted}`;
  try {
    return (await findPath(image, wanted))?.toString() ?? nameless;
  } catch (error) {
    // What is wrong with the image is not what the message is about.
    if (error instanceof ErofsError) return nameless;
    throw error;
  }
}

async function findPath(image: ErofsImage, wanted: Nid): Promise<Buffer | undefined> {
  const seen = new Set<Nid>([image.rootNid]);
  const directories: { readonly nid: Nid; readonly path: Buffer }[] = [
    { nid: image.rootNid, path: Buffer.from('/') },
  ];
  for (let here = directories.pop(); here !== undefined; here = directories.pop()) {
    for await (const { name, nid } of directoryEntries(image, await image.inode(here.nid))) {
      if (isDotOrDotDot(name)) continue;
      const path = childPath(here.path, name);
      if (nid === wanted) return path;
      if (seen.has(nid) || path.length > PATH_MAX) continue;
      seen.add(nid);
      if (isDirectory(await image.inode(nid))) directories.push({ nid, path });
    }
  }
  return undefined;
}
