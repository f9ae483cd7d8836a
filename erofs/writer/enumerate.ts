import { directorySize, withDotEntries } from './directory-blocks';
import { InodePlan } from './inode-plan';
import type { DirectoryNode, TreeNode } from './tree';

/**
 * The inodes of a tree in the order in which they, and the data of files, stand in the image: the root, then for
 * each directory all that it names, side by side, before anything from the directories below it. So a listing
 * with attributes reads one stretch. Fills link counts, entries and sizes. The order depends on names alone.
 */
export function enumerateInodes(root: DirectoryNode): InodePlan[] {
  const rootPlan = new InodePlan(root, undefined, '', 1);
  const plans = [rootPlan];
  const seen = new Map<TreeNode, InodePlan>([[root, rootPlan]]);
  const pending: { node: DirectoryNode; plan: InodePlan }[] = [{ node: root, plan: rootPlan }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node: directory, plan } = next;
    const subdirectories: typeof pending = [];
    const children: [string, InodePlan][] = [];
    for (const name of [...directory.entries.keys()].sort()) {
      const node = directory.entries.get(name);
      if (node === undefined) continue;
      let child = seen.get(node);
      if (child === undefined) {
        child = new InodePlan(node, plan, name, plans.length + 1);
        child.size = dataSize(node);
        seen.set(node, child);
        plans.push(child);
      } else if (node.kind === 'directory') {
        throw new Error(`${child.shown()}: a directory with a second name, in ${plan.shown()}`);
      } else {
        child.nlink++;
      }
      if (node.kind === 'directory') {
        plan.nlink++;
        subdirectories.push({ node, plan: child });
      }
      children.push([name, child]);
    }
    plan.entries = withDotEntries(children, plan, plan.parent ?? plan);
    plan.size = directorySize(plan.entries.map(([name]) => name));
    // Last in, first out: reversed, so that they come in order.
    pending.push(...subdirectories.reverse());
  }
  return plans;
}

/** Bytes of data, but for directories: their size follows from their entries. */
function dataSize(node: TreeNode): number {
  switch (node.kind) {
    case 'file':
      return node.content.size;
    case 'symlink':
      return node.target.length;
    case 'directory':
    case 'character device':
    case 'block device':
    case 'fifo':
    case 'socket':
      return 0;
  }
}
