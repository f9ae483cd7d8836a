import type { MountEntry } from './mount-table';

/**
 * The mount that a path leads to where mounts are stacked on one directory: the one that no other lies on. `target` is
 * absolute and without symbolic links. Undefined where nothing is mounted there.
 */
export function topmostMount(table: readonly MountEntry[], target: string): MountEntry | undefined {
  const stack = table.filter((entry) => entry.target === target);
  const covered = new Set(stack.map(({ parentId }) => parentId));
  return stack.find(({ id }) => !covered.has(id));
}
