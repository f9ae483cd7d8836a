import { GenerationCache } from '../erofs/generation-cache';
import type { DirectoryItem, DirectorySink, NodeId } from '../fuse/file-system';

/** Files whose successor is remembered. */
const FILES_KEPT = 16_384;
/** DT_REG of readdir(3). */
const REGULAR_FILE = 8;

/** The order in which directories list files that hold something. Who reads all of a tree opens them in nearly this order. */
export class FileOrder {
  readonly #next = new GenerationCache<NodeId, NodeId>(FILES_KEPT);
  #last: NodeId | undefined;

  /** The file that was listed behind this one. */
  after(node: NodeId): NodeId | undefined {
    return this.#next.get(node);
  }

  /** A sink that takes note of what goes into another. */
  watch(sink: DirectorySink): DirectorySink {
    return {
      plus: sink.plus,
      add: (item) => {
        const taken = sink.add(item);
        if (taken) this.#listed(item);
        return taken;
      },
    };
  }

  #listed({ type, entry }: DirectoryItem): void {
    if (type !== REGULAR_FILE || entry === undefined || entry.attributes.size === 0) return;
    if (this.#last !== undefined) this.#next.set(this.#last, entry.node);
    this.#last = entry.node;
  }
}
