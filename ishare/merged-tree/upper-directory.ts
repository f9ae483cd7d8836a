import { constants } from 'node:fs';
import { lstat, open, readlink, type FileHandle } from 'node:fs/promises';
import { errorCode } from '../../linux/errno';
import { getXattr } from '../../linux/xattr';
import { marksOpaque, nodeType, OPAQUE_XATTR, type LayerNode, type NodeType } from './layer-node';

const ABSENT: readonly string[] = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'];

/**
 * What a container has written, as the upper layer of its overlay. The container may change it at any moment: each
 * directory is opened, links not followed, and what is in it is found through its descriptor, so that no name leads out.
 */
export class UpperDirectory implements AsyncDisposable {
  readonly #opened: FileHandle[] = [];

  constructor(private readonly path: string) {}

  root(): Promise<LayerNode> {
    return this.#node(Buffer.from(this.path));
  }

  async #node(path: Buffer): Promise<LayerNode> {
    const { mode, rdev, size } = await lstat(path);
    const type = nodeType(mode, rdev);
    if (type !== 'directory') return new UpperNode(type, size, path, path, (inside) => this.#find(inside));
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    this.#opened.push(handle);
    const inside = Buffer.from(`/proc/self/fd/${handle.fd}/`);
    return new UpperNode(type, size, path, inside, (name) => this.#find(name));
  }

  async #find(path: Buffer): Promise<LayerNode | undefined> {
    try {
      return await this.#node(path);
    } catch (error) {
      const code = errorCode(error);
      // ENOTDIR and ELOOP: it was a directory a moment ago, and is something else.
      if (code !== undefined && ABSENT.includes(code)) return undefined;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const handle of this.#opened.splice(0)) await handle.close();
  }
}

class UpperNode implements LayerNode {
  constructor(
    readonly type: NodeType,
    readonly size: number,
    private readonly path: Buffer,
    /** Before the names in it; ends with a slash. */
    private readonly inside: Buffer,
    private readonly find: (path: Buffer) => Promise<LayerNode | undefined>,
  ) {}

  lookup(name: Buffer): Promise<LayerNode | undefined> {
    return this.find(Buffer.concat([this.inside, name]));
  }

  opaque(): Promise<boolean> {
    // Not through the path: "/." makes it the directory itself, and no link.
    const self = Buffer.concat([this.inside, Buffer.from('.')]);
    return Promise.resolve(marksOpaque(getXattr(self, OPAQUE_XATTR)));
  }

  readlink(): Promise<Buffer> {
    return readlink(this.path, 'buffer');
  }
}
