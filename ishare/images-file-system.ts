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
import type { Attachment, SharedFile } from './attachment';
import type { BackingRegistry } from './backing-registry';
import type { DedupTable } from './dedup-table';
import { splitImageNode } from './node-numbers';
import { OverlayXattrs } from './overlay-xattrs';
import { TopDirectories } from './top-directories';

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const BLOCK_SIZE = 4096;

interface OpenFile {
  readonly attachment: Attachment;
  readonly shared: SharedFile | undefined;
  count: number;
}

/**
 * The images mount: `/<domain token>/<attachment>/...`, the trees of all attached images on one superblock. Opening a
 * regular file of a domain passes through to its dedup inode; what has no domain is read and cached here, image by
 * image.
 */
export class ImagesFileSystem implements FileSystem {
  readonly #attachments = new Map<number, Attachment>();
  readonly #byNodeRange = new Map<number, Attachment>();
  readonly #open = new Map<NodeId, OpenFile>();
  readonly #table: DedupTable;
  readonly #top: TopDirectories;
  readonly #onFault: (error: unknown) => void;
  #backings: BackingRegistry | undefined;

  constructor(table: DedupTable, onFault: (error: unknown) => void) {
    this.#table = table;
    this.#onFault = onFault;
    this.#top = new TopDirectories(this.#attachments);
  }

  /** From here on files of a domain are passed through. Without it they are served image by image. */
  passThroughTo(backings: BackingRegistry): void {
    this.#backings = backings;
  }

  add(attachment: Attachment): void {
    this.#attachments.set(attachment.id, attachment);
    this.#byNodeRange.set(attachment.layer.nodeRange, attachment);
  }

  remove(attachmentId: number): void {
    const attachment = this.#attachments.get(attachmentId);
    if (attachment === undefined) return;
    this.#attachments.delete(attachmentId);
    this.#byNodeRange.delete(attachment.layer.nodeRange);
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

  async open(node: NodeId, flags: number): Promise<OpenAnswer> {
    if ((flags & (constants.O_WRONLY | constants.O_RDWR | constants.O_TRUNC)) !== 0)
      throw new FuseError('EROFS');
    const { attachment, inode } = await this.#inode(node);
    const file = this.#open.get(node) ?? (await this.#newOpenFile(attachment, inode));
    // Detached while its inode was read: the image may be closed by now.
    if (attachment.detached && !this.#open.has(node)) throw new FuseError('ESTALE');
    // Counted before anything is waited for, so that neither image nor dedup inode can go meanwhile.
    this.#count(node, file);
    try {
      return await this.#answer(file);
    } catch (error) {
      this.release(node);
      throw error;
    }
  }

  async #newOpenFile(attachment: Attachment, inode: Inode): Promise<OpenFile> {
    const mayShare = this.#backings !== undefined && (inode.mode & S_IFMT) === S_IFREG && inode.size > 0;
    const shared = mayShare ? await attachment.sharedFile(inode) : undefined;
    return { attachment, shared, count: 0 };
  }

  #count(node: NodeId, file: OpenFile): void {
    const known = this.#open.get(node) ?? file;
    this.#open.set(node, known);
    known.count += 1;
    known.attachment.fileOpened();
    if (known.shared !== undefined) known.shared.inode.openFiles += 1;
  }

  async #answer(file: OpenFile): Promise<OpenAnswer> {
    if (file.shared === undefined || this.#backings === undefined) {
      return { handle: NO_HANDLE, flags: OpenFlag.KEEP_CACHE | OpenFlag.NOFLUSH };
    }
    file.shared.backing.opened = true;
    const backingId = await this.#backings.backingId(file.shared.inode);
    return { handle: NO_HANDLE, flags: OpenFlag.PASSTHROUGH | OpenFlag.NOFLUSH, backingId };
  }

  release(node: NodeId): void {
    const file = this.#open.get(node);
    if (file === undefined) return;
    file.count -= 1;
    if (file.count === 0) this.#open.delete(node);
    if (file.shared !== undefined) file.shared.inode.openFiles -= 1;
    file.attachment.fileClosed().catch(this.#onFault);
    if (file.shared !== undefined) this.#table.retireIfUnused(file.shared.inode);
  }

  /**
   * READs come here for files that are not shared; for shared ones only through posix_fadvise(WILLNEED) and
   * readahead(2), which the kernel does not pass through.
   */
  async read(node: NodeId, _handle: FileHandle, offset: number, length: number): Promise<Buffer> {
    const { attachment, inode } = await this.#inode(node);
    return attachment.image.read(inode, offset, length);
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
    return attachment.image.getXattr(inode, name);
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
    const { attachment, inode } = await this.#inode(node);
    return attachment.tree.seek(inode, offset, whence);
  }

  /** Files that are open now, over all attachments. */
  get openFiles(): number {
    let count = 0;
    for (const file of this.#open.values()) count += file.count;
    return count;
  }

  async #inode(node: NodeId): Promise<{ attachment: Attachment; inode: Inode }> {
    const { nodeRange, nid } = splitImageNode(node);
    // A detached attachment still answers for the files that are open through it.
    const attachment = this.#byNodeRange.get(nodeRange) ?? this.#open.get(node)?.attachment;
    if (attachment === undefined) throw new FuseError('ESTALE');
    return { attachment, inode: await attachment.image.inode(nid) };
  }

  async #rootEntry(attachment: Attachment): Promise<Entry> {
    return attachment.tree.entry(await attachment.image.inode(attachment.image.rootNid));
  }
}
