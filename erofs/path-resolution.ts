import type { Nid } from './brands';
import { ErofsPathError } from './errors';
import type { ErofsImage } from './image';
import { isDirectory, isSymlink, type Inode } from './inode';

/** Symlinks that one path may lead through, as in Linux (MAXSYMLINKS, include/linux/namei.h). */
const SYMLINKS_MAX = 40;

const SLASH = 0x2f;
const DOT = Buffer.from('.');
const DOT_DOT = Buffer.from('..');

/**
 * The inode that a path inside an image leads to. It starts at the root, with or without a slash; symlinks in its middle
 * are followed, also absolute ones, and ".." of the root is the root, so that nothing leads out of the image. The last
 * component is followed where `followLast` says so or a slash ends the path. Throws ErofsPathError as open(2) would, and
 * what the image throws.
 */
export async function resolvePath(image: ErofsImage, path: Buffer, followLast: boolean): Promise<Inode> {
  const wrong = (code: ErofsPathError['code']): ErofsPathError => new ErofsPathError(image.label, path, code);
  // Names still to be walked, the next one last. Each brings along whether a slash follows it.
  const waiting = componentsOf(path);
  const way: Nid[] = [];
  let symlinks = 0;
  let here = await image.inode(image.rootNid);
  for (let component = waiting.pop(); component !== undefined; component = waiting.pop()) {
    const { name, slash } = component;
    if (!isDirectory(here)) throw wrong('ENOTDIR');
    if (name.equals(DOT)) continue;
    if (name.equals(DOT_DOT)) {
      here = await image.inode(way.pop() ?? image.rootNid);
      continue;
    }
    const found = await image.lookup(here, name);
    if (found === undefined) throw wrong('ENOENT');
    const inode = await image.inode(found.nid);
    if (isSymlink(inode) && (slash || waiting.length > 0 || followLast)) {
      if (++symlinks > SYMLINKS_MAX) throw wrong('ELOOP');
      const target = await image.readlink(inode);
      if (target[0] === SLASH) {
        way.length = 0;
        here = await image.inode(image.rootNid);
      }
      const inside = componentsOf(target);
      const last = inside[0];
      if (last !== undefined && slash) inside[0] = { ...last, slash };
      waiting.push(...inside);
      continue;
    }
    if (slash && !isDirectory(inode)) throw wrong('ENOTDIR');
    way.push(here.nid);
    here = inode;
  }
  return here;
}

interface Component {
  readonly name: Buffer;
  readonly slash: boolean;
}

/** The names of a path, the first one last. */
function componentsOf(path: Buffer): Component[] {
  const components: Component[] = [];
  let end = path.length;
  for (let at = path.length; at >= 0; at--) {
    if (at > 0 && path[at - 1] !== SLASH) continue;
    if (end > at) components.push({ name: path.subarray(at, end), slash: end < path.length });
    end = at - 1;
  }
  return components;
}
