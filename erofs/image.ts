import { isNid, type Nid } from './brands';
import type { ByteSource } from './byte-source';
import { CacheBudget } from './cache-budget';
import { CachedSource } from './cached-source';
import { readCompressionConfiguration } from './compression/configuration';
import { Decoding } from './compression/decoding';
import { ImageCompression } from './compression/image-compression';
import { DeviceTable } from './device-table';
import { VerifyingSource, type ImageDigests } from './digests/verifying-source';
import { DirectoryReader, type DirectoryEntry, type FoundEntry } from './directory-reader';
import { ErofsCorruptError, ErofsUsageError } from './errors';
import { FileSource } from './file-source';
import type { SpareBuffers } from '../linux/spare-buffers';
import { walkInodes } from './inode-walk';
import { CODECS_XATTR, SOURCE_XATTR, sourceRecord } from './format/xattr';
import { ImageSources } from './image-sources';
import { isDirectory, isRegularFile, isSymlink, type Inode } from './inode';
import { InodeSource } from './inode-source';
import { InodeTable } from './inode-table';
import type { Allocate, DataExtent } from './layout/data-layout';
import { dataLayouts } from './layout/select';
import { ReadAheadSource } from './read-ahead-source';
import { readSuperblock, type Superblock } from './superblock';
import type { LongPrefix } from './xattr-prefixes';
import { XattrReader, type Xattr } from './xattr-reader';

export { Decoding };
export type { DataExtent, DirectoryEntry, FoundEntry, ImageDigests, Inode, Superblock, Xattr };

const SOURCE = Buffer.from(SOURCE_XATTR, 'latin1');

/** Longest target that readlink(2) can give (PATH_MAX less its NUL). */
const SYMLINK_MAX = 4095;

const DEFAULT_BUDGET = 8 * 1024 * 1024;

export interface OpenImageOptions {
  /** Memory for metadata, which images may share. A budget of 8 MiB of its own where it is left out. */
  readonly budget?: CacheBudget;
  /** Threads and memory for compressed files, which images should share. One of its own where it is left out. */
  readonly decoding?: Decoding;
  /** Memory for short reads (scratchBuffers), which images should share. Each file has its own where it is left out. */
  readonly scratch?: SpareBuffers;
  /** For messages; the path where it is left out. */
  readonly label?: string;
  /** Paths of the extra devices, in the order of the image's table. */
  readonly devices?: readonly string[];
  /** Digest table that every byte of the image, but not of its extra devices, is checked with when it is read. */
  readonly digests?: ImageDigests | undefined;
}

/**
 * An EROFS image, read only. Methods reject with ErofsCorruptError where the image is wrong, ErofsUnsupportedError
 * where it uses what this reader does not know, ErofsUsageError where the question does not fit the inode, and with
 * Node's own errors where the disk fails. Whatever an image holds, no method crashes, hangs or takes
 * memory beyond what it was asked for. Buffers that methods return are views of shared memory: never write to them,
 * and copy what is kept for long.
 */
export class ErofsImage implements AsyncDisposable {
  readonly superblock: Superblock;
  readonly rootNid: Nid;
  readonly label: string;
  readonly #sources: ImageSources;
  readonly #inodes: InodeTable;
  readonly #directories: DirectoryReader;
  readonly #xattrs: XattrReader;

  private constructor(sources: ImageSources) {
    this.superblock = sources.superblock;
    this.rootNid = sources.superblock.rootNid;
    this.label = sources.label;
    this.#sources = sources;
    this.#inodes = new InodeTable(sources);
    this.#directories = new DirectoryReader(sources);
    this.#xattrs = new XattrReader(sources, this.#inodes);
    sources.attachPacked(() => this.#packedFile());
  }

  /**
   * Opens an image file, checks its superblock and that its root is a directory. With `digests`, this and all methods
   * reject with ErofsDigestError where the file is not what it was when they were recorded.
   */
  static async open(path: string, options: OpenImageOptions = {}): Promise<ErofsImage> {
    const budget = options.budget ?? new CacheBudget(DEFAULT_BUDGET);
    const opened: ByteSource[] = [];
    try {
      const decoding = options.decoding ?? new Decoding();
      const readAhead = (file: ByteSource): ByteSource => {
        const source = new ReadAheadSource(file, decoding.budget);
        opened.push(source);
        return source;
      };
      const { label = path, digests, scratch } = options;
      const data = readAhead(
        digests === undefined
          ? await FileSource.open(path, label, scratch)
          : await VerifyingSource.open(path, digests, label, scratch),
      );
      for (const device of options.devices ?? []) readAhead(await FileSource.open(device, device, scratch));
      const metadata = new CachedSource(data, budget);
      return await ErofsImage.fromSources(data, metadata, { budget, decoding, devices: opened.slice(1) });
    } catch (error) {
      for (const source of opened) await source[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * An image whose bytes come from elsewhere: `data` and `metadata` are the same image, read without and with a
   * cache; they may be one object. The image owns them, and the devices, once this has succeeded. `budget` is for
   * what is cached besides: the metabox file.
   */
  static async fromSources(
    data: ByteSource,
    metadata: ByteSource,
    options: {
      readonly budget?: CacheBudget;
      readonly decoding?: Decoding;
      readonly devices?: readonly ByteSource[];
    } = {},
  ): Promise<ErofsImage> {
    const superblock = await readSuperblock(data);
    const devices = await DeviceTable.read(superblock, metadata, options.devices ?? []);
    const configuration = await readCompressionConfiguration(superblock, metadata);
    const compression = new ImageCompression(configuration, options.decoding ?? new Decoding());
    const image = new ErofsImage(new ImageSources(superblock, data, metadata, devices, compression));
    await image.#attachMetabox(options.budget ?? new CacheBudget(DEFAULT_BUDGET));
    if (isDirectory(await image.inode(image.rootNid))) return image;
    const site = { image: image.label, nid: image.rootNid, field: 'superblock.rootNid' };
    throw new ErofsCorruptError(site, 'the root is no directory');
  }

  /** Blocks of the image and of its extra devices, whether those were given or not. */
  get totalBlocks(): number {
    return this.superblock.blocks + this.#sources.devices.blocks;
  }

  /** Extra devices that content of the image is on and that were not given: 0, or all. */
  get missingDevices(): number {
    return this.#sources.devices.missing;
  }

  /** What the image is read from, and still owns: for those who look at the format itself. */
  get sources(): ImageSources {
    return this.#sources;
  }

  /** The inode of this number. */
  async inode(nid: Nid): Promise<Inode> {
    return this.#inodes.get(nid);
  }

  /** The same inode at once, where it needs no read of the disk; else undefined. Throws as `inode` rejects. */
  peekInode(nid: Nid): Inode | undefined {
    return this.#inodes.peek(nid);
  }

  /** The entry of this name, or undefined. Finds "." and ".." too. ENOTDIR on other inodes. */
  lookup(directory: Inode, name: Buffer): Promise<FoundEntry | undefined> {
    return this.#directories.lookup(directory, name);
  }

  /**
   * Up to `limit` entries after `cookie` (0: from the start), in the order of the image, with "." and "..". Empty at
   * the end. Cookies are the same at all times, so that reading goes on from any of them. ENOTDIR on other inodes.
   */
  async entriesFrom(directory: Inode, cookie: number, limit: number): Promise<DirectoryEntry[]> {
    return this.#directories.entriesFrom(directory, cookie, limit);
  }

  /** The same, at once where nothing must be waited for. Throws or rejects as `entriesFrom` rejects. */
  entries(directory: Inode, cookie: number, limit: number): DirectoryEntry[] | Promise<DirectoryEntry[]> {
    return this.#directories.entriesFrom(directory, cookie, limit);
  }

  /** Target of a symlink: 1 to 4095 bytes without a NUL. EINVAL on other inodes. */
  async readlink(inode: Inode): Promise<Buffer> {
    if (!isSymlink(inode)) throw this.#usage(inode, 'EINVAL', 'is no symlink');
    const wrong = (problem: string): ErofsCorruptError =>
      new ErofsCorruptError({ image: this.label, nid: inode.nid, field: 'symlink target' }, problem);
    if (inode.size < 1 || inode.size > SYMLINK_MAX) throw wrong(`has ${inode.size} bytes`);
    const target = await dataLayouts[inode.layout].read(this.#sources, inode, 0, inode.size, 'metadata');
    if (target.includes(0)) throw wrong('has a NUL in it');
    return target;
  }

  /**
   * Bytes of a regular file: `length` from `offset`, fewer where the file ends before, none behind its end. Holes are
   * zeroes. EISDIR on directories, EINVAL on what else is no file.
   */
  async read(inode: Inode, offset: number, length: number): Promise<Buffer> {
    return this.bytes(inode, offset, length);
  }

  /**
   * The same, at once where nothing must be waited for. Throws or rejects as `read` rejects. The bytes may be put in memory
   * from `allocate`, but need not be.
   */
  bytes(inode: Inode, offset: number, length: number, allocate?: Allocate): Buffer | Promise<Buffer> {
    if (!isRegularFile(inode)) {
      throw this.#usage(inode, isDirectory(inode) ? 'EISDIR' : 'EINVAL', 'is no regular file');
    }
    if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(length) || length < 0) {
      throw this.#usage(inode, 'EINVAL', `read of ${length} bytes at ${offset}`);
    }
    const inside = Math.min(length, inode.size - offset);
    if (inside <= 0) return Buffer.alloc(0);
    return dataLayouts[inode.layout].read(this.#sources, inode, offset, inside, 'data', allocate);
  }

  /** The extents of an inode's data, in order and without gaps, as the inode claims them. None for special files. */
  extents(inode: Inode): AsyncIterable<DataExtent> {
    return dataLayouts[inode.layout].extents(this.#sources, inode);
  }

  /** Extended attributes that can be named, in the order of the image: inline ones, then shared ones. */
  xattrs(inode: Inode): Promise<readonly Xattr[]> {
    return this.#xattrs.list(inode);
  }

  /** Value of one extended attribute by its full name, or undefined. */
  getXattr(inode: Inode, name: Buffer): Promise<Buffer | undefined> {
    return this.#xattrs.get(inode, name);
  }

  /**
   * What the image claims to be the digest of this inode's content: the raw value of the attribute that the superblock
   * names for it, or undefined. A claim, and not checked in any way.
   */
  async fingerprint(inode: Inode): Promise<Buffer | undefined> {
    const { fingerprintPrefix } = this.superblock;
    if (fingerprintPrefix === undefined || inode.xattrSize === 0) return undefined;
    return this.#xattrs.getByPrefix(inode, fingerprintPrefix);
  }

  /**
   * Where the content of this file is, in an image of merged metadata: see `sourceRecord`. Only images that this program made
   * itself, and nobody could write to, tell the truth. Undefined where the file does not say.
   */
  async source(inode: Inode): Promise<{ readonly layer: number; readonly nid: Nid } | undefined> {
    const value = await this.#xattrs.getHidden(inode, SOURCE);
    if (value?.length !== sourceRecord.size) return undefined;
    const site = { image: this.label, nid: inode.nid, origin: inode.xattrOffset };
    const { layer, nid } = sourceRecord.read(value, 0, site);
    return isNid(nid) ? { layer, nid } : undefined;
  }

  /** The codecs that compressed the image, with versions, where its builder has left a note of them. */
  async codecs(): Promise<string | undefined> {
    const note = await this.#xattrs.getHidden(await this.inode(this.rootNid), Buffer.from(CODECS_XATTR));
    return note?.toString('latin1');
  }

  /** The prefixes that names of attributes may begin with besides those of the format, by their number. */
  longPrefixes(): Promise<readonly LongPrefix[]> {
    return this.#xattrs.longPrefixes();
  }

  /** Every regular file that the root leads to, each inode once, nearly in the order of the image. */
  files(): AsyncIterable<Inode> {
    return walkInodes(this, (nid) => this.#inodes.pass(nid), isRegularFile);
  }

  /** The root and everything that it leads to, otherwise like `files`. */
  inodes(): AsyncIterable<Inode> {
    return walkInodes(this, (nid) => this.#inodes.pass(nid));
  }

  /** Lets go of what a walk has left behind: what was read ahead of it. */
  rest(): void {
    this.#sources.data.rest?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#inodes.clear();
    await this.#sources[Symbol.asyncDispose]();
  }

  async #attachMetabox(budget: CacheBudget): Promise<void> {
    const { metaboxNid } = this.superblock;
    if (metaboxNid === undefined) return;
    const inode = await this.inode(metaboxNid);
    if (!isRegularFile(inode)) {
      const site = { image: this.label, nid: metaboxNid, field: 'superblock extension.metaboxNid' };
      throw new ErofsCorruptError(site, 'is no regular file');
    }
    this.#sources.attachMetabox(new CachedSource(new InodeSource(this.#sources, inode), budget));
  }

  async #packedFile(): Promise<ByteSource> {
    const site = { image: this.label, nid: this.superblock.packedNid, field: 'superblock.packedNid' };
    if (site.nid === undefined) throw new ErofsCorruptError(site, 'there is no packed file');
    const inode = await this.#inodes.get(site.nid);
    if (!isRegularFile(inode)) throw new ErofsCorruptError(site, 'is no regular file');
    // Fragments are small and lie together: where the file is stored plain, its blocks go through the cache.
    return new InodeSource(this.#sources, inode, 'metadata');
  }

  #usage(inode: Inode, code: 'EINVAL' | 'EISDIR', problem: string): ErofsUsageError {
    return new ErofsUsageError({ image: this.label, nid: inode.nid, field: 'inode.mode' }, code, problem);
  }
}
