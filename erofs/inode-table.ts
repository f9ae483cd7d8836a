import { METABOX_NID, isMetaboxNid, type Nid } from './brands';
import { ErofsCorruptError } from './errors';
import { INODE_SLOT, compactInodeRecord } from './format/inode';
import { GenerationCache } from './generation-cache';
import type { ImageSources } from './image-sources';
import { INODE_PROBE, decodeInode, type Inode } from './inode';
import { readRange } from './read-range';

/** Decoded inodes that an image remembers; FUSE asks for the same few many times in a row. */
const INODES_KEPT = 1024;

/** The inodes of one image, decoded when they are asked for. */
export class InodeTable {
  readonly #known = new GenerationCache<Nid, Inode>(INODES_KEPT);

  constructor(private readonly image: ImageSources) {}

  /** At once where the inode is in memory. Throws or rejects with ErofsCorruptError and ErofsUnsupportedError. */
  get(nid: Nid): Inode | Promise<Inode> {
    const known = this.#known.get(nid);
    if (known !== undefined) return known;
    const position = this.#position(nid);
    const length = this.#probeLength(position, nid);
    const bytes = readRange(this.image.home(nid), position, length, nid, 'nid');
    if (Buffer.isBuffer(bytes)) return this.#remember(this.#decode(bytes, position, nid));
    return bytes.then((read) => this.#remember(this.#decode(read, position, nid)));
  }

  /** The same for a walk, which comes by once: it is not remembered. */
  pass(nid: Nid): Inode | Promise<Inode> {
    const known = this.#known.get(nid);
    if (known !== undefined) return known;
    const position = this.#position(nid);
    const bytes = readRange(this.image.home(nid), position, this.#probeLength(position, nid), nid, 'nid');
    if (Buffer.isBuffer(bytes)) return this.#decode(bytes, position, nid);
    return bytes.then((read) => this.#decode(read, position, nid));
  }

  /** The inode where it is in memory, else undefined. */
  peek(nid: Nid): Inode | undefined {
    const known = this.#known.get(nid);
    if (known !== undefined) return known;
    const position = this.#position(nid);
    const bytes = this.image.home(nid).peek?.(position, this.#probeLength(position, nid));
    return bytes === undefined ? undefined : this.#remember(this.#decode(bytes, position, nid));
  }

  clear(): void {
    this.#known.clear();
  }

  #decode(bytes: Buffer, position: number, nid: Nid): Inode {
    const { label, superblock } = this.image;
    return decodeInode(bytes, superblock, nid, { image: label, nid, origin: position });
  }

  #remember(inode: Inode): Inode {
    this.#known.set(inode.nid, inode);
    return inode;
  }

  #position(nid: Nid): number {
    if (isMetaboxNid(nid)) return (nid - METABOX_NID) * INODE_SLOT;
    return this.image.superblock.metaOffset + nid * INODE_SLOT;
  }

  /** Both forms fit in INODE_PROBE; the image may end right after a compact inode. */
  #probeLength(position: number, nid: Nid): number {
    const { size } = this.image.home(nid);
    const length = Math.min(INODE_PROBE, size - position);
    if (length >= compactInodeRecord.size) return length;
    throw new ErofsCorruptError(
      { image: this.image.label, nid, offset: position, field: 'nid' },
      `lies outside: inodes end at ${size}`,
    );
  }
}
