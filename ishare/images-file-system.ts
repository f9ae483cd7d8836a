import { constants } from 'node:fs';
import type { Inode } from '../erofs/image';
import { FuseError } from '../fuse/errors';
import {
  NO_HANDLE,
  type Attributes,
  type DirectorySink,
  type Entry,
  type FileHandle,
  type FileSystem,
  type FileSystemStatistics,
  type NodeId,
  type OpenAnswer,
} from '../fuse/file-system';
import { OpenFlag } from '../fuse/protocol/flags';
import { Attachment } from './attachment';
import type { BackingRegistry } from './backing-registry';
import type { DedupReader } from './dedup-reader';
import type { DedupTable, Reference } from './dedup-table';
import { splitImageNode } from './node-numbers';
import { OverlayXattrs } from './overlay-xattrs';
import type { FileContent, ServedImage } from './served-image';
import type { OpenRecord, TakeoverJournal } from './takeover/journal';
import { TopDirectories } from './top-directories';

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const BLOCK_SIZE = 4096;

interface OpenFile {
  /** The image through which it was opened. */
  readonly attachment: ServedImage;
  readonly content: FileContent;
  /** The dedup inode that serves it, until the last one closes it. */
  readonly served: Reference | undefined;
  count: number;
}

/** What leads to the dedup inodes. */
export interface WaysToDedup {
  /** Undefined on kernels without passthrough. */
  readonly backings: BackingRegistry | undefined;
  readonly reader: DedupReader;
  readonly journal: TakeoverJournal;
  /** Has the kernel forget what it cached of a file in this mount; see Notifier.invalidateInode. */
  forgetPages(node: NodeId, offset: number, length: number): Promise<unknown>;
}

/**
 * The images mount: `/<domain token>/<attachment>/...`, the trees of all attached images on one superblock. Opening a
 * regular file of a domain passes through to its dedup inode; what has no domain is read and cached here, image by
 * image. Where the kernel has no passthrough, read(2) of a file of a domain comes here each time, and is answered from
 * the pages of its dedup inode; what is mapped is cached here.
 */
export class ImagesFileSystem implements FileSystem {
  readonly #served = new Map<number, ServedImage>();
  /** Those of layers. */
  readonly #attachments = new Map<number, Attachment>();
  readonly #byNodeRange = new Map<number, ServedImage>();
  readonly #open = new Map<NodeId, OpenFile>();
  readonly #table: DedupTable;
  readonly #top: TopDirectories;
  readonly #onFault: (error: unknown) => void;
  #ways: WaysToDedup | undefined;

  constructor(table: DedupTable, onFault: (error: unknown) => void) {
    this.#table = table;
    this.#onFault = onFault;
    this.#top = new TopDirectories(this.#served);
  }

  /** From here on files of a domain are served by their dedup inodes. */
  shareThrough(ways: WaysToDedup): void {
    this.#ways = ways;
  }

  add(attachment: ServedImage): void {
    this.#served.set(attachment.id, attachment);
    if (attachment instanceof Attachment) this.#attachments.set(attachment.id, attachment);
    this.#byNodeRange.set(attachment.layer.nodeRange, attachment);
  }

  remove(attachmentId: number): void {
    const attachment = this.#served.get(attachmentId);
    if (attachment === undefined) return;
    this.#served.delete(attachmentId);
    this.#attachments.delete(attachmentId);
    this.#byNodeRange.delete(attachment.layer.nodeRange);
  }

  /** Images of layers and merged ones. */
  get served(): ReadonlyMap<number, ServedImage> {
    return this.#served;
  }

  get attachments(): ReadonlyMap<number, Attachment> {
    return this.#attachments;
  }

  async lookup(parent: NodeId, name: Buffer): Promise<Entry | undefined> {
    if (splitImageNode(parent).nodeRange === 0) {
      const found = this.#top.lookup(parent, name.toString('latin1'));
      return found instanceof Object && 'attachment' in found ? this.#rootEntry(found.attachment) : found;
    }
    const { attachment, inode } = await this.#inode(parent);
    return attachment.tree.lookup(inode, name);
  }

  async attributes(node: NodeId): Promise<Attributes> {
    if (splitImageNode(node).nodeRange === 0) return this.#top.attributes(node);
    const { attachment, inode } = await this.#inode(node);
    return attachment.tree.attributes(inode);
  }

  async readlink(node: NodeId): Promise<Buffer> {
    const { attachment, inode } = await this.#inode(node);
    return attachment.image.readlink(inode);
  }

  async open(node: NodeId, flags: number, unique: bigint): Promise<OpenAnswer> {
    if ((flags & (constants.O_WRONLY | constants.O_RDWR | constants.O_TRUNC)) !== 0)
      throw new FuseError('EROFS');
    const restored = this.#open.get(node);
    // Counted by the process that did not live to answer.
    if (restored !== undefined && this.#ways?.journal.answered(unique) === true)
      return this.#answer(restored);
    const { attachment, inode } = await this.#inode(node);
    const file = this.#open.get(node) ?? (await this.#newOpenFile(attachment, inode));
    // Detached while its inode was read: the image may be closed by now.
    if (attachment.detached && !this.#open.has(node)) throw new FuseError('ESTALE');
    // Counted before anything is waited for, so that neither image nor dedup inode can go meanwhile.
    this.#count(node, file);
    try {
      const answer = await this.#answer(file);
      this.#ways?.journal.opened(node, file.served?.inode.node, unique);
      return answer;
    } catch (error) {
      this.#close(node);
      throw error;
    }
  }

  /** Files that were open when an earlier process ended. */
  async restoreOpen({ node, dedupNode, count }: OpenRecord): Promise<boolean> {
    const { nodeRange, nid } = splitImageNode(node);
    const attachment = this.#byNodeRange.get(nodeRange);
    if (attachment === undefined) return false;
    const content = await attachment.content(await attachment.image.inode(nid));
    const served =
      dedupNode === undefined ? undefined : await content.attachment.restore(content.inode, dedupNode);
    if (dedupNode !== undefined && served === undefined) return false;
    const file: OpenFile = { attachment, content, served, count: 0 };
    for (let times = 0; times < count; times += 1) this.#count(node, file);
    return true;
  }

  /** The inode that a file had for itself when an earlier process ended: something may have it mapped. */
  async restoreOwn(node: NodeId, dedupNode: NodeId): Promise<boolean> {
    const { nodeRange, nid } = splitImageNode(node);
    const attachment = this.#byNodeRange.get(nodeRange);
    if (attachment === undefined) return false;
    const content = await attachment.content(await attachment.image.inode(nid));
    return (await content.attachment.restore(content.inode, dedupNode)) !== undefined;
  }

  async #newOpenFile(attachment: ServedImage, inode: Inode): Promise<OpenFile> {
    if ((inode.mode & S_IFMT) !== S_IFREG) throw new FuseError('EINVAL');
    const content = await attachment.content(inode);
    const mayShare = this.#ways !== undefined && inode.size > 0;
    const shared = mayShare ? await content.attachment.servedBy(content.inode) : undefined;
    return { attachment, content, served: shared ?? this.#servedAlone(attachment, content), count: 0 };
  }

  /** What merged layers show and nobody shares is cached once for all chains all the same. */
  #servedAlone(attachment: ServedImage, { attachment: layer, inode }: FileContent): Reference | undefined {
    if (attachment === layer || inode.size === 0 || this.#ways?.backings === undefined) return undefined;
    return layer.servedAlone(inode);
  }

  #count(node: NodeId, file: OpenFile): void {
    const known = this.#open.get(node) ?? file;
    this.#open.set(node, known);
    known.count += 1;
    known.attachment.hold();
    known.served?.inode.opened(known.served.backing);
  }

  async #answer(file: OpenFile): Promise<OpenAnswer> {
    const cached = OpenFlag.KEEP_CACHE | OpenFlag.NOFLUSH;
    if (file.served === undefined || this.#ways === undefined) return { handle: NO_HANDLE, flags: cached };
    const { backings } = this.#ways;
    if (backings === undefined) return { handle: NO_HANDLE, flags: cached | OpenFlag.DIRECT_IO };
    const backingId = await backings.backingId(file.served.inode);
    return { handle: NO_HANDLE, flags: OpenFlag.PASSTHROUGH | OpenFlag.NOFLUSH, backingId };
  }

  release(node: NodeId, _handle: FileHandle, unique: bigint): void {
    if (this.#ways?.journal.answered(unique) === true) return;
    this.#ways?.journal.closed(node, unique);
    this.#close(node);
  }

  #close(node: NodeId): void {
    const file = this.#open.get(node);
    if (file === undefined) return;
    file.count -= 1;
    if (file.count === 0) this.#open.delete(node);
    file.served?.inode.closed(file.served.backing);
    file.attachment.letGo().catch(this.#onFault);
    if (file.served === undefined) return;
    const { inode } = file.served;
    if (inode.openFiles === 0) this.#ways?.reader.forget(inode).catch(this.#onFault);
    this.#table.retireIfUnused(inode);
  }

  /**
   * READs come here for files that are not shared. For shared ones they come where the kernel has no passthrough, and
   * otherwise through posix_fadvise(WILLNEED) and readahead(2), which it does not pass through.
   */
  async read(
    node: NodeId,
    _handle: FileHandle,
    offset: number,
    length: number,
    uncached: boolean,
  ): Promise<Buffer> {
    const served = this.#open.get(node)?.served;
    if (served !== undefined && this.#ways !== undefined) {
      if (uncached) return this.#ways.reader.read(served.inode, offset, length);
      if (this.#ways.backings !== undefined) return this.#readAhead(this.#ways, served, node, offset, length);
    }
    const { attachment, inode } = await this.#content(node);
    return attachment.image.read(inode, offset, length);
  }

  /**
   * Somebody asked for pages in advance. They are read into the dedup inode, where they will be looked for; what the kernel
   * then keeps of the answer in this mount is of no use to anybody.
   */
  async #readAhead(
    ways: WaysToDedup,
    served: Reference,
    node: NodeId,
    offset: number,
    length: number,
  ): Promise<Buffer> {
    const bytes = await ways.reader.read(served.inode, offset, length);
    // Once the answer is on its way: the kernel holds the pages locked until then.
    setImmediate(() => {
      ways.forgetPages(node, offset, length).catch(this.#onFault);
    });
    return bytes;
  }

  async readDirectory(node: NodeId, cookie: number, sink: DirectorySink): Promise<void> {
    if (splitImageNode(node).nodeRange === 0) {
      for (const item of this.#top.items(node).slice(cookie)) if (!sink.add(item)) return;
      return;
    }
    const { attachment, inode: directory } = await this.#inode(node);
    await attachment.tree.readDirectory(directory, cookie, sink);
  }

  async getXattr(node: NodeId, name: Buffer): Promise<Buffer | undefined> {
    if (splitImageNode(node).nodeRange === 0 || OverlayXattrs.hidden(name)) return undefined;
    const { attachment, inode } = await this.#inode(node);
    const { missingXattrs } = attachment;
    if (missingXattrs.has(name)) throw new FuseError('EOPNOTSUPP');
    const value = await attachment.image.getXattr(inode, name);
    if (value === undefined) missingXattrs.asked(name);
    return value;
  }

  async listXattrs(node: NodeId): Promise<readonly Buffer[]> {
    if (splitImageNode(node).nodeRange === 0) return [];
    const { attachment, inode } = await this.#inode(node);
    const xattrs = await attachment.image.xattrs(inode);
    return xattrs.map(({ name }) => name).filter((name) => !OverlayXattrs.hidden(name));
  }

  statistics(): FileSystemStatistics {
    let files = 0;
    let bytes = 0;
    for (const { image } of this.#attachments.values()) {
      files += image.superblock.inodes;
      bytes += image.superblock.blocks * image.superblock.blockSize;
    }
    return { blocks: Math.ceil(bytes / BLOCK_SIZE), blockSize: BLOCK_SIZE, files };
  }

  async seek(node: NodeId, offset: number, whence: number): Promise<number> {
    const { attachment, inode } = await this.#content(node);
    return attachment.tree.seek(inode, offset, whence);
  }

  /** Files that are open now, over all attachments. */
  get openFiles(): number {
    let count = 0;
    for (const file of this.#open.values()) count += file.count;
    return count;
  }

  /** For messages: the image and inode that a node stands for, where it is known. */
  describe(node: NodeId): string | undefined {
    const { nodeRange, nid } = splitImageNode(node);
    const attachment = this.#byNodeRange.get(nodeRange) ?? this.#open.get(node)?.attachment;
    return attachment && `${attachment.layer.label}, inode ${nid}`;
  }

  /** The same for a regular file, in the image that has its content. */
  async #content(node: NodeId): Promise<FileContent> {
    const open = this.#open.get(node);
    if (open !== undefined) return open.content;
    const { attachment, inode } = await this.#inode(node);
    return attachment.content(inode);
  }

  async #inode(node: NodeId): Promise<{ attachment: ServedImage; inode: Inode }> {
    const { nodeRange, nid } = splitImageNode(node);
    // A detached attachment still answers for the files that are open through it.
    const attachment = this.#byNodeRange.get(nodeRange) ?? this.#open.get(node)?.attachment;
    if (attachment === undefined) throw new FuseError('ESTALE');
    return { attachment, inode: await attachment.image.inode(nid) };
  }

  async #rootEntry(attachment: ServedImage): Promise<Entry> {
    return attachment.tree.entry(await attachment.image.inode(attachment.image.rootNid));
  }
}
