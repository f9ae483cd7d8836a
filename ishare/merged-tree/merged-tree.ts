import type { LayerNode } from './layer-node';

/** Symbolic links that one path may lead through, as in Linux (MAXSYMLINKS, include/linux/namei.h). */
const SYMLINKS_MAX = 40;

/** A path that leads nowhere in a merged tree. `code` is the errno that open(2) would give. */
export class MergedPathError extends Error {
  override readonly name = 'MergedPathError';
  /** What is wrong, without the path. */
  readonly problem: string;

  constructor(
    readonly path: string,
    readonly code: 'ENOENT' | 'ENOTDIR' | 'ELOOP',
  ) {
    super(`${path}: ${PROBLEMS[code]}`);
    this.problem = PROBLEMS[code];
  }
}

const PROBLEMS = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  ELOOP: 'too many levels of symbolic links',
} as const;

/** What overlayfs shows under a path. */
export interface MergedNode {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** It as the topmost layer has it that has it. */
  readonly node: LayerNode;
}

/** A directory in all layers that show something of it, topmost first, or the one layer's node that is no directory. */
type Parts = readonly [LayerNode, ...LayerNode[]];

interface Place {
  readonly name: string;
  readonly parts: Parts;
}

/**
 * What overlayfs (without redirects and metacopies) makes of some layers. The roots of all layers are merged, also below
 * one that is marked opaque (fs/overlayfs/super.c, ovl_get_root).
 */
export class MergedTree {
  /** @param roots of the layers, topmost first. */
  constructor(private readonly roots: Parts) {}

  /**
   * Where a path leads, with or without a slash at its start. Symbolic links are followed, the last one too; none leads
   * out of the tree. Throws MergedPathError as open(2) would fail, and what the layers throw.
   */
  async resolve(path: string): Promise<MergedNode> {
    // Names still to be walked, the next one last.
    const waiting = namesIn(path);
    const way: Place[] = [];
    let here: Parts = this.roots;
    let links = 0;
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (here[0].type !== 'directory') throw new MergedPathError(path, 'ENOTDIR');
      if (name === '..') {
        way.pop();
        here = way.at(-1)?.parts ?? this.roots;
        continue;
      }
      const parts = await lookup(here, Buffer.from(name));
      if (parts === undefined) throw new MergedPathError(path, 'ENOENT');
      if (parts[0].type === 'symbolic link') {
        if (++links > SYMLINKS_MAX) throw new MergedPathError(path, 'ELOOP');
        const target = (await parts[0].readlink()).toString();
        if (target.startsWith('/')) {
          way.length = 0;
          here = this.roots;
        }
        waiting.push(...namesIn(target));
        continue;
      }
      way.push({ name, parts });
      here = parts;
    }
    if (path.endsWith('/') && here[0].type !== 'directory') throw new MergedPathError(path, 'ENOTDIR');
    return { path: `/${way.map(({ name }) => name).join('/')}`, node: here[0] };
  }
}

/** The names of a path, the first one last. */
function namesIn(path: string): string[] {
  return path
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .reverse();
}

/** As ovl_lookup (fs/overlayfs/namei.c): directories are merged until something else, or an opaque one, ends it. */
async function lookup(directory: Parts, name: Buffer): Promise<Parts | undefined> {
  const [first, ...rest] = await partsNamed(directory, name);
  return first === undefined ? undefined : [first, ...rest];
}

async function partsNamed(directory: Parts, name: Buffer): Promise<LayerNode[]> {
  const parts: LayerNode[] = [];
  for (const part of directory) {
    const found = await part.lookup(name);
    if (found === undefined) continue;
    if (found.type === 'whiteout') return parts;
    if (found.type !== 'directory') return parts.length === 0 ? [found] : parts;
    parts.push(found);
    if (await found.opaque()) return parts;
  }
  return parts;
}
