import { ImageChain } from '../merged-tree/image-chain';
import type { LayerNode } from '../merged-tree/layer-node';
import { MergedTree, type MergedNode } from '../merged-tree/merged-tree';
import { UpperDirectory } from '../merged-tree/upper-directory';
import { AdminError } from './admin-error';
import { quoted } from './request-fields';
import type { SnapshotLayers } from './sources';

/** The tree of a snapshot, looked into from outside. Disposing closes its images. */
export class SnapshotTree implements AsyncDisposable {
  private constructor(
    readonly tree: MergedTree,
    private readonly chain: ImageChain,
    private readonly upper: UpperDirectory | undefined,
  ) {}

  static async open({ name, layers, upper }: SnapshotLayers): Promise<SnapshotTree> {
    const chain = await ImageChain.open(layers.map(({ path }) => path));
    const written = upper === undefined ? undefined : new UpperDirectory(upper);
    try {
      const above: LayerNode[] = written === undefined ? [] : [await written.root()];
      const [first, ...rest] = [...above, ...(await chain.roots())];
      if (first === undefined) {
        throw new AdminError(
          'FAILED_PRECONDITION',
          `${quoted(name)} has neither images nor files of its own`,
        );
      }
      return new SnapshotTree(new MergedTree([first, ...rest]), chain, written);
    } catch (error) {
      await written?.[Symbol.asyncDispose]();
      await chain[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** See MergedTree. */
  resolve(path: string): Promise<MergedNode> {
    return this.tree.resolve(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.upper?.[Symbol.asyncDispose]();
    await this.chain[Symbol.asyncDispose]();
  }
}
