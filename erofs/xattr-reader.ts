import { ErofsCorruptError } from './errors';
import { BASE_HIDDEN, LONG_PREFIX, LONG_PREFIX_MASK } from './format/xattr';
import type { Inode } from './inode';
import type { InodeTable } from './inode-table';
import type { ImageSources } from './image-sources';
import { readSharedXattr, readXattrBody, type XattrBody, type XattrEntry } from './xattr-entries';
import { splitXattrName, xattrFilterBit, xattrPrefixBytes } from './xattr-name';
import { readLongPrefixes, type LongPrefix } from './xattr-prefixes';

/** An extended attribute by its full name. */
export interface Xattr {
  readonly name: Buffer;
  readonly value: Buffer;
}

/** Extended attributes of the inodes of one image. */
export class XattrReader {
  #prefixes: Promise<readonly LongPrefix[]> | undefined;

  constructor(
    private readonly image: ImageSources,
    private readonly inodes: InodeTable,
  ) {}

  /** All attributes that have a name; hidden ones and those of unknown prefixes are left out, as in the kernel. */
  async list(inode: Inode): Promise<Xattr[]> {
    const body = await readXattrBody(this.image, inode);
    if (body === undefined) return [];
    const found: Xattr[] = [];
    for await (const entry of this.#entries(body, inode)) {
      const prefix = await this.#prefixOf(entry, inode);
      if (prefix !== undefined) found.push({ name: Buffer.concat([prefix, entry.rest]), value: entry.value });
    }
    return found;
  }

  /** Value of the attribute with this full name, or undefined. */
  async get(inode: Inode, name: Buffer): Promise<Buffer | undefined> {
    if (inode.xattrSize === 0) return undefined;
    const split = splitXattrName(name);
    if (split === undefined) return undefined;
    const body = await readXattrBody(this.image, inode);
    if (body === undefined) return undefined;
    if (body.nameFilter !== 0) {
      const bit = xattrFilterBit(split.baseIndex, split.rest);
      if (((body.nameFilter >>> bit) & 1) === 1) return undefined;
    }
    for await (const entry of this.#entries(body, inode)) {
      const prefix = await this.#prefixOf(entry, inode);
      if (prefix !== undefined && isJoined(name, prefix, entry.rest)) return entry.value;
    }
    return undefined;
  }

  /** Value of the attribute whose name is one long prefix as a whole, hidden or not; undefined without it. */
  async getByPrefix(inode: Inode, prefixNumber: number): Promise<Buffer | undefined> {
    const body = await readXattrBody(this.image, inode);
    if (body === undefined) return undefined;
    for await (const entry of this.#entries(body, inode)) {
      if (entry.nameIndex === (LONG_PREFIX | prefixNumber) && entry.rest.length === 0) return entry.value;
    }
    return undefined;
  }

  /** Value of the attribute that no mount shows, because its name, a long prefix as a whole, has no namespace. */
  async getHidden(inode: Inode, name: Buffer): Promise<Buffer | undefined> {
    if (inode.xattrSize === 0) return undefined;
    const prefixes = await this.longPrefixes();
    const number = prefixes.findIndex(
      ({ baseIndex, infix }) => baseIndex === BASE_HIDDEN && infix.equals(name),
    );
    return number < 0 ? undefined : this.getByPrefix(inode, number);
  }

  async *#entries(body: XattrBody, inode: Inode): AsyncGenerator<XattrEntry> {
    yield* body.inline;
    for (const id of body.sharedIds) yield readSharedXattr(this.image, id, inode);
  }

  /** The bytes before `entry.rest`, or undefined where the attribute cannot be named. */
  async #prefixOf(entry: XattrEntry, inode: Inode): Promise<Buffer | undefined> {
    if ((entry.nameIndex & LONG_PREFIX) === 0) return xattrPrefixBytes(entry.nameIndex);
    const prefixes = await this.longPrefixes();
    const number = entry.nameIndex & LONG_PREFIX_MASK;
    const prefix = prefixes[number];
    if (prefix === undefined) {
      throw new ErofsCorruptError(
        {
          image: this.image.label,
          nid: inode.nid,
          offset: inode.xattrOffset,
          field: 'xattr entry.nameIndex',
        },
        `long prefix ${number} of ${prefixes.length}`,
      );
    }
    return prefix.full;
  }

  /** The table of long prefixes, read when it is first wanted. A failure is not kept: it may come from the disk. */
  longPrefixes(): Promise<readonly LongPrefix[]> {
    this.#prefixes ??= readLongPrefixes(this.image, this.inodes).catch((error: unknown) => {
      this.#prefixes = undefined;
      throw error;
    });
    return this.#prefixes;
  }
}

function isJoined(name: Buffer, prefix: Buffer, rest: Buffer): boolean {
  return (
    name.length === prefix.length + rest.length &&
    name.compare(prefix, 0, prefix.length, 0, prefix.length) === 0 &&
    name.compare(rest, 0, rest.length, prefix.length) === 0
  );
}
