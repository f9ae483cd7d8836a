import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { buildImageOfTree } from '../../erofs/build';
import { BytesContent } from '../../erofs/writer/content';
import { toEntryName, type DirectoryNode, type NodeAttributes, type TreeNode } from '../../erofs/writer/tree';

/** Files of a directory. */
const DIRECTORY_SIZE = 1_000;

const ATTRIBUTES: NodeAttributes = {
  permissions: 0o755,
  uid: 0,
  gid: 0,
  mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
  xattrs: [],
};

/** EROFS images, made by our own writer, of files that hold nothing but a number each; made once and kept. */
export class NumberedFiles {
  constructor(private readonly directory: string) {}

  /** An image with the files of the numbers [first, first + count). */
  async image(first: number, count: number): Promise<string> {
    const target = join(this.directory, `numbers-${first}-${count}.erofs`);
    if (existsSync(target)) return target;
    await mkdir(this.directory, { recursive: true });
    const top = new Map<string, Map<string, TreeNode>>();
    for (let index = first; index < first + count; index++) {
      const name = `d${Math.floor(index / DIRECTORY_SIZE)}`;
      const entries = top.get(name) ?? new Map<string, TreeNode>();
      top.set(name, entries);
      const content = new BytesContent(Buffer.from(`number ${index}\n`));
      entries.set(`f${index}`, { ...ATTRIBUTES, kind: 'file', content });
    }
    await buildImageOfTree(
      directoryOf(new Map([...top].map(([name, entries]) => [name, directoryOf(entries)]))),
      {
        target,
        threads: 1,
      },
    );
    return target;
  }
}

function directoryOf(entries: ReadonlyMap<string, TreeNode>): DirectoryNode {
  const named = [...entries].map(([name, node]) => [toEntryName(Buffer.from(name)), node] as const);
  return { ...ATTRIBUTES, kind: 'directory', entries: new Map(named) };
}
