import { BytesContent, type ContentSource } from '../content';
import { toEntryName, type DirectoryNode, type FileNode, type NodeAttributes, type TreeNode } from '../tree';

/** Attributes of nodes that a test asks nothing special of. */
export const plain: NodeAttributes = {
  permissions: 0o755,
  uid: 0,
  gid: 0,
  mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
  xattrs: [],
};

export function directory(entries: Readonly<Record<string, TreeNode>> = {}): DirectoryNode {
  const named = Object.entries(entries).map(
    ([name, node]) => [toEntryName(Buffer.from(name)), node] as const,
  );
  return { kind: 'directory', entries: new Map(named), ...plain };
}

export function file(content: ContentSource | string, attributes: Partial<NodeAttributes> = {}): FileNode {
  const source = typeof content === 'string' ? new BytesContent(Buffer.from(content)) : content;
  return { kind: 'file', content: source, ...plain, ...attributes };
}
