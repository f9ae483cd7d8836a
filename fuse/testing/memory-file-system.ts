import { FuseError } from '../errors';
import {
  nodeId,
  NO_HANDLE,
  ROOT_NODE,
  type Attributes,
  type DirectorySink,
  type Entry,
  type FileHandle,
  type FileSystem,
  type FileSystemStatistics,
  type MaybePromise,
  type NodeId,
  type OpenAnswer,
} from '../file-system';

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const S_IFMT = 0o170000;
const SEEK_DATA = 3;
const DOTS = [Buffer.from('.'), Buffer.from('..')] as const;

type Properties = Partial<Omit<Attributes, 'ino' | 'size'>>;

/** One inode of a MemoryFileSystem. */
export class MemoryNode {
  readonly children = new Map<string, MemoryNode>();
  readonly xattrs = new Map<string, Buffer>();

  constructor(
    readonly id: NodeId,
    readonly parent: MemoryNode | undefined,
    readonly attributes: Attributes,
    /** Bytes of a file, target of a symbolic link. */
    readonly content: Buffer,
  ) {}

  get entry(): Entry {
    return { node: this.id, attributes: this.attributes };
  }
}

/**
 * A tree in memory, to try the engine against the real kernel. Names are kept as latin1 text, so that any byte is
 * possible. Node ids count up from the root's 1 and double as inode numbers. Not for production.
 */
export class MemoryFileSystem implements FileSystem {
  readonly root: MemoryNode;
  readonly #nodes = new Map<NodeId, MemoryNode>();
  /** Lookups that the kernel said it has forgotten, by node id. */
  readonly forgotten = new Map<NodeId, number>();
  /** Half-open ranges of each READ, in the order of their arrival. */
  readonly reads: { readonly node: NodeId; readonly offset: number; readonly length: number }[] = [];
  /** Awaited before a READ is answered. */
  beforeRead: ((node: MemoryNode, offset: number) => Promise<void>) | undefined;

  constructor() {
    this.root = this.#make(undefined, S_IFDIR | 0o755, Buffer.alloc(0), {});
  }

  directory(parent: MemoryNode, name: string, properties: Properties = {}): MemoryNode {
    return this.#link(parent, name, this.#make(parent, S_IFDIR | 0o755, Buffer.alloc(0), properties));
  }

  file(parent: MemoryNode, name: string, content: Buffer | string, properties: Properties = {}): MemoryNode {
    return this.#link(parent, name, this.#make(parent, S_IFREG | 0o644, Buffer.from(content), properties));
  }

  symlink(parent: MemoryNode, name: string, target: Buffer | string): MemoryNode {
    return this.#link(parent, name, this.#make(parent, S_IFLNK | 0o777, Buffer.from(target), {}));
  }

  /** A device, fifo or socket: `properties.mode` says which. */
  special(parent: MemoryNode, name: string, properties: Properties): MemoryNode {
    return this.#link(parent, name, this.#make(parent, S_IFREG, Buffer.alloc(0), properties));
  }

  lookup(parent: NodeId, name: Buffer): MaybePromise<Entry | undefined> {
    return this.#node(parent).children.get(name.toString('latin1'))?.entry;
  }

  statx(node: NodeId): MaybePromise<Attributes> {
    return this.attributes(node);
  }

  attributes(node: NodeId): MaybePromise<Attributes> {
    return this.#node(node).attributes;
  }

  readlink(node: NodeId): MaybePromise<Buffer> {
    const { attributes, content } = this.#node(node);
    if ((attributes.mode & S_IFMT) !== S_IFLNK) throw new FuseError('EINVAL');
    return content;
  }

  read(node: NodeId, _handle: FileHandle, offset: number, length: number): MaybePromise<Buffer> {
    const file = this.#node(node);
    this.reads.push({ node, offset, length });
    const bytes = file.content.subarray(offset, offset + length);
    return this.beforeRead === undefined ? bytes : this.beforeRead(file, offset).then(() => bytes);
  }

  /** Positions: 1 after ".", 2 after "..", then one more for each child in the order of creation. */
  readDirectory(node: NodeId, cookie: number, sink: DirectorySink): MaybePromise<void> {
    const directory = this.#node(node);
    const dots = [directory, directory.parent ?? directory];
    for (let index = cookie; index < DOTS.length; index += 1) {
      const ino = dots[index]?.attributes.ino ?? 0;
      const item = { name: DOTS[index] ?? Buffer.alloc(0), ino, type: S_IFDIR >>> 12, nextCookie: index + 1 };
      if (!sink.add(item)) return;
    }
    const children = [...directory.children];
    for (let index = Math.max(cookie - DOTS.length, 0); index < children.length; index += 1) {
      const [name, child] = children[index] ?? [];
      if (name === undefined || child === undefined) return;
      const { ino, mode } = child.attributes;
      const nextCookie = index + DOTS.length + 1;
      const item = { name: Buffer.from(name, 'latin1'), ino, type: mode >>> 12, nextCookie };
      if (!sink.add(sink.plus ? { ...item, entry: child.entry } : item)) return;
    }
  }

  getXattr(node: NodeId, name: Buffer): MaybePromise<Buffer | undefined> {
    return this.#node(node).xattrs.get(name.toString('latin1'));
  }

  listXattrs(node: NodeId): MaybePromise<readonly Buffer[]> {
    return [...this.#node(node).xattrs.keys()].map((name) => Buffer.from(name, 'latin1'));
  }

  statistics(): FileSystemStatistics {
    return { blocks: 1000, blockSize: 4096, files: this.#nodes.size };
  }

  /** Holes are whole zero pages. */
  seek(node: NodeId, offset: number, whence: number): number {
    const { content } = this.#node(node);
    if (offset >= content.length) throw new FuseError('ENXIO');
    const isHole = (at: number): boolean => content.subarray(at, at + 4096).every((byte) => byte === 0);
    for (let at = offset - (offset % 4096); at < content.length; at += 4096) {
      if (isHole(at) !== (whence === SEEK_DATA)) return Math.max(at, offset);
    }
    if (whence === SEEK_DATA) throw new FuseError('ENXIO');
    return content.length;
  }

  forget(node: NodeId, lookups: number): void {
    this.forgotten.set(node, (this.forgotten.get(node) ?? 0) + lookups);
  }

  #node(id: NodeId): MemoryNode {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new FuseError('ESTALE');
    return node;
  }

  #make(parent: MemoryNode | undefined, mode: number, content: Buffer, properties: Properties): MemoryNode {
    const id = parent === undefined ? ROOT_NODE : nodeId(this.#nodes.size + 1);
    const attributes = {
      ino: id,
      size: content.length,
      mode,
      nlink: (mode & S_IFMT) === S_IFDIR ? 2 : 1,
      uid: 0,
      gid: 0,
      rdev: 0,
      time: { seconds: 1_000_000_000, nanoseconds: 0 },
      ...properties,
    };
    const node = new MemoryNode(id, parent, attributes, content);
    this.#nodes.set(id, node);
    return node;
  }

  #link(parent: MemoryNode, name: string, node: MemoryNode): MemoryNode {
    parent.children.set(name, node);
    return node;
  }
}

/** The same with OPEN and RELEASE, so that a test decides how files are opened. */
export class OpeningFileSystem extends MemoryFileSystem {
  /** Files that are open now, by node id. */
  readonly opened = new Map<NodeId, number>();

  constructor(readonly answer: (node: NodeId) => Omit<OpenAnswer, 'handle'>) {
    super();
  }

  open(node: NodeId): MaybePromise<OpenAnswer> {
    this.opened.set(node, (this.opened.get(node) ?? 0) + 1);
    return { handle: NO_HANDLE, ...this.answer(node) };
  }

  release(node: NodeId): void {
    const left = (this.opened.get(node) ?? 0) - 1;
    if (left > 0) this.opened.set(node, left);
    else this.opened.delete(node);
  }
}
