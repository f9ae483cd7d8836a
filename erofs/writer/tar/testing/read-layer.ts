import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Pace } from '../../pace';
import { Spool } from '../../spool';
import { contentOf, expectedObservation, type Observation } from '../../testing/observation';
import { ScratchDirectory } from '../../testing/scratch-directory';
import type { DirectoryNode, EntryName, FileNode, TreeNode } from '../../tree';
import { readTarTree, type TarReading, type TarSource } from '../from-tar';

/** A layer that was read from a tar, while its contents can be read. */
export class ReadLayer implements Disposable {
  private constructor(
    readonly root: DirectoryNode,
    private readonly owned: readonly Disposable[],
  ) {}

  /** Reads a tar that is in memory. */
  static async ofBytes(...parts: readonly Buffer[]): Promise<ReadLayer> {
    const scratch = new ScratchDirectory();
    try {
      writeFileSync(scratch.join('layer.tar'), Buffer.concat(parts));
      const layer = await ReadLayer.of({ tar: scratch.join('layer.tar') });
      return new ReadLayer(layer.root, [layer, scratch]);
    } catch (error) {
      scratch[Symbol.dispose]();
      throw error;
    }
  }

  static async of(source: TarSource, reading: Partial<TarReading> = {}): Promise<ReadLayer> {
    const spool = new Spool(tmpdir());
    try {
      return new ReadLayer(await readTarTree(source, spool, { pace: new Pace(reading.signal), ...reading }), [
        spool,
      ]);
    } catch (error) {
      spool[Symbol.dispose]();
      throw error;
    }
  }

  get observation(): Observation {
    return expectedObservation(this.root);
  }

  /** Paths of all names (latin1), directories with a slash, sorted. */
  get paths(): string[] {
    const found: string[] = [];
    const pending: [string, DirectoryNode][] = [['', this.root]];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const [above, directory] = next;
      for (const [name, node] of directory.entries) {
        found.push(`${above}${name}${node.kind === 'directory' ? '/' : ''}`);
        if (node.kind === 'directory') pending.push([`${above}${name}/`, node]);
      }
    }
    return found.sort();
  }

  /** The node at a path. Throws where there is none. */
  at(path: string): TreeNode {
    let node: TreeNode = this.root;
    for (const name of path.split('/').filter((each) => each !== '')) {
      const child: TreeNode | undefined =
        node.kind === 'directory' ? node.entries.get(name as EntryName) : undefined;
      if (child === undefined) throw new Error(`${path}: there is no ${name}`);
      node = child;
    }
    return node;
  }

  /** Content of a file, or target of a symbolic link. */
  text(path: string): string {
    const node = this.at(path);
    if (node.kind === 'symlink') return node.target.toString('latin1');
    return contentOf(node as FileNode).toString('latin1');
  }

  /** Extended attributes by name; values are latin1. */
  xattrs(path: string): Record<string, string> {
    return Object.fromEntries(
      this.at(path).xattrs.map(({ name, value }) => [name.toString('latin1'), value.toString('latin1')]),
    );
  }

  [Symbol.dispose](): void {
    for (const each of this.owned) each[Symbol.dispose]();
  }
}

/** The error of a tar that cannot be read; undefined where it can. */
export async function failureOf(...parts: readonly Buffer[]): Promise<unknown> {
  try {
    (await ReadLayer.ofBytes(...parts))[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return error;
  }
}
