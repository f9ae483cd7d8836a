import { FuseError } from '../fuse/errors';
import {
  ROOT_NODE,
  type Attributes,
  type DirectorySink,
  type Entry,
  type FileHandle,
  type FileSystem,
  type FileSystemStatistics,
  type MaybePromise,
  type NodeId,
} from '../fuse/file-system';
import type { Backing, DedupDomain, DedupFacts, DedupInode } from './dedup-inode';
import type { DedupTable } from './dedup-table';
import { domainIdOf, domainNode } from './node-numbers';

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const DT_DIR = 4;
const DT_REG = 8;
const EPOCH = { seconds: 0, nanoseconds: 0 };
const BLOCK_SIZE = 4096;

/** Told when a backing inode could not supply its bytes. */
export type OnBackingFailure = (inode: DedupInode, backing: Backing, error: unknown) => void;

/**
 * The ishare mount: `/<domain token>/<digest>`, one file for each content. Its page cache is the shared one. It keeps
 * nothing per open: there is no OPEN, so any number of them costs this program nothing.
 */
export class DedupFileSystem implements FileSystem {
  readonly #table: DedupTable;
  readonly #onFailure: OnBackingFailure;
  #settling: Promise<void> | undefined;

  constructor(table: DedupTable, onFailure: OnBackingFailure) {
    this.#table = table;
    this.#onFailure = onFailure;
  }

  /** What an earlier process knew may not be known again before `settled`: until then nothing is called missing. */
  waitFor(settled: Promise<void>): void {
    this.#settling = settled.finally(() => (this.#settling = undefined));
  }

  /** The result of `look`, which may throw because something is missing that is only not known again yet. */
  #whenKnown<Result>(look: () => Result): Result | Promise<Result> {
    const settling = this.#settling;
    if (settling === undefined) return look();
    try {
      return look();
    } catch {
      // What is missing still is told by the second look.
      return settling.then(look);
    }
  }

  lookup(parent: NodeId, name: Buffer): MaybePromise<Entry> {
    return this.#whenKnown(() => this.#entry(parent, name));
  }

  #entry(parent: NodeId, name: Buffer): Entry {
    const text = name.toString('latin1');
    if (parent === ROOT_NODE) {
      const domain = this.#table.domainByToken(text);
      // An error, not a negative entry: the kernel must not remember that a domain or content is missing.
      if (domain === undefined) throw new FuseError('ENOENT');
      return { node: domainNode(domain.id), attributes: directory(domainNode(domain.id)) };
    }
    const inode = this.#table.byName(this.#domain(parent), text);
    if (inode === undefined) throw new FuseError('ENOENT');
    return { node: inode.node, attributes: file(inode) };
  }

  attributes(node: NodeId): MaybePromise<Attributes> {
    return this.#whenKnown(() => this.#attributes(node));
  }

  #attributes(node: NodeId): Attributes {
    if (node === ROOT_NODE) return directory(ROOT_NODE);
    const inode = this.#table.facts(node);
    if (inode !== undefined) return file(inode);
    this.#domain(node);
    return directory(node);
  }

  readlink(): never {
    throw new FuseError('EINVAL');
  }

  async read(
    node: NodeId,
    _handle: FileHandle,
    offset: number,
    length: number,
    uncached: boolean,
  ): Promise<Buffer> {
    const inode = await this.#whenKnown(() => this.#inode(node));
    const bytes = await this.#readBacking(inode, offset, length);
    if (!uncached) inode.pagesRead(offset, length);
    return bytes;
  }

  async #readBacking(inode: DedupInode, offset: number, length: number): Promise<Buffer> {
    let failure: unknown;
    // Any backing inode will do: the first that can be read supplies the bytes.
    for (const backing of inBelievedOrder(inode.backings)) {
      try {
        const { image } = backing.attachment;
        return await image.read(await image.inode(backing.nid), offset, length);
      } catch (error) {
        failure = error;
        this.#onFailure(inode, backing, error);
      }
    }
    throw new FuseError('EIO', `no backing inode can supply ${inode.name}`, {
      cause: failure,
    });
  }

  readDirectory(node: NodeId, cookie: number, sink: DirectorySink): void {
    const items = node === ROOT_NODE ? this.#domainItems() : this.#inodeItems(this.#domain(node));
    for (const [index, { name, entry, type }] of items.slice(cookie).entries()) {
      const nextCookie = cookie + index + 1;
      if (!sink.add({ name: Buffer.from(name), ino: entry.attributes.ino, type, nextCookie, entry })) return;
    }
  }

  getXattr(): undefined {
    return undefined;
  }

  listXattrs(): readonly Buffer[] {
    return [];
  }

  statistics(): FileSystemStatistics {
    let files = 0;
    let blocks = 0;
    for (const inode of this.#table.inodes()) {
      files += 1;
      blocks += Math.ceil(inode.size / BLOCK_SIZE);
    }
    return { blocks, blockSize: BLOCK_SIZE, files };
  }

  #inode(node: NodeId): DedupInode {
    const inode = this.#table.byNode(node);
    if (inode === undefined) throw new FuseError('ESTALE');
    return inode;
  }

  #domain(node: NodeId): DedupDomain {
    const domain = this.#table.domainById(domainIdOf(node));
    if (domain === undefined) throw new FuseError('ESTALE');
    return domain;
  }

  #domainItems(): Item[] {
    return [...this.#table.domains()].map((domain) => {
      const node = domainNode(domain.id);
      return { name: domain.token, type: DT_DIR, entry: { node, attributes: directory(node) } };
    });
  }

  /** In an order that stays the same whatever is done with them. */
  #inodeItems(domain: DedupDomain): Item[] {
    return [...this.#table.inodes()]
      .filter((inode) => inode.domain === domain)
      .sort((left, right) => left.node - right.node)
      .map((inode) => ({
        name: inode.name,
        type: DT_REG,
        entry: { node: inode.node, attributes: file(inode) },
      }));
  }
}

/** Images that are no longer believed come last: what they supply under this name was right once. */
function inBelievedOrder(backings: readonly Backing[]): readonly Backing[] {
  if (!backings.some(({ distrusted }) => distrusted)) return [...backings];
  return [...backings.filter((each) => !each.distrusted), ...backings.filter((each) => each.distrusted)];
}

interface Item {
  readonly name: string;
  readonly type: number;
  readonly entry: Entry;
}

function directory(node: NodeId): Attributes {
  return { ino: node, size: 0, mode: S_IFDIR | 0o500, nlink: 2, uid: 0, gid: 0, rdev: 0, time: EPOCH };
}

function file(inode: DedupFacts): Attributes {
  return {
    ino: inode.node,
    size: inode.size,
    mode: S_IFREG | 0o400,
    nlink: 1,
    uid: 0,
    gid: 0,
    rdev: 0,
    time: EPOCH,
  };
}
