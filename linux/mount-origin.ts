import path from 'node:path';
import type { MountEntry } from './mount-table';

/** A place in a file system, as the mount table tells where a bind mount comes from. */
export interface Origin {
  readonly device: string;
  readonly inside: string;
}

/** The mount that a path lies in: of those whose target leads there the longest, and of equal ones the last. */
export function mountOf(table: readonly MountEntry[], path: string): MountEntry | undefined {
  const around = table.filter(({ target }) => isBelow(path, target));
  const longest = Math.max(...around.map(({ target }) => target.length));
  return around.findLast(({ target }) => target.length === longest);
}

/** Whether `path` is `directory` or lies in it. */
export function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`);
}

/** Where a path lies, the mounts around it being those of `table`. */
export function originOf(table: readonly MountEntry[], directory: string): Origin | undefined {
  const mount = mountOf(table, directory);
  if (mount === undefined) return undefined;
  const inside = path.join(mount.root, path.relative(mount.target, directory));
  return { device: mount.device, inside };
}
