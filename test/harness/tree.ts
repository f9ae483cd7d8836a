import { createHash } from 'node:crypto';
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { getXattr, listXattrs } from '../../linux/xattr';

/** A change to a directory tree, given its root: the counterpart of the appliers in containerd's test suites. */
export type Change = (root: string) => Promise<void>;

export function changes(...parts: readonly Change[]): Change {
  return async (root) => {
    for (const part of parts) await part(root);
  };
}

/** Writes a file anew, in place where it exists, and gives it exactly this mode. */
export function file(path: string, content: string, mode = 0o644): Change {
  return async (root) => {
    await writeFile(join(root, path), content);
    await chmod(join(root, path), mode);
  };
}

export function directory(path: string, mode = 0o755): Change {
  return async (root) => {
    await mkdir(join(root, path));
    await chmod(join(root, path), mode);
  };
}

export function removed(path: string): Change {
  return (root) => rm(join(root, path), { recursive: true });
}

export function renamed(from: string, to: string): Change {
  return (root) => rename(join(root, from), join(root, to));
}

export function linked(from: string, to: string): Change {
  return (root) => link(join(root, from), join(root, to));
}

export function owned(path: string, uid: number, gid: number): Change {
  return (root) => chown(join(root, path), uid, gid);
}

/**
 * Everything below a directory that a container could tell apart, one line an entry, sorted; modification times are
 * left out, as they are by containerd's own comparison. Hard links show as the first name of the file.
 */
export async function treeOf(root: string): Promise<string[]> {
  const firstNames = new Map<string, string>();
  const lines: string[] = [];
  for (const name of (await readdir(root, { recursive: true })).sort()) {
    const path = join(root, name);
    const stats = await lstat(path);
    const words = [name, stats.mode.toString(8), `${stats.uid}:${stats.gid}`, ...attributesOf(path)];
    if (stats.isSymbolicLink()) words.push(await readlink(path));
    if (stats.isCharacterDevice() || stats.isBlockDevice()) words.push(`device ${stats.rdev}`);
    if (stats.isFile()) {
      words.push(
        `${stats.size} bytes`,
        createHash('sha256')
          .update(await readFile(path))
          .digest('hex')
          .slice(0, 16),
      );
      const inode = `${stats.dev}:${stats.ino}`;
      words.push(stats.nlink > 1 ? `link to ${firstNames.get(inode) ?? name}` : 'one link');
      if (!firstNames.has(inode)) firstNames.set(inode, name);
    }
    lines.push(words.join(' '));
  }
  return lines;
}

function attributesOf(path: string): string[] {
  return listXattrs(path)
    .map((name) => `${name.toString()}=${getXattr(path, name)?.toString('hex') ?? ''}`)
    .sort();
}
