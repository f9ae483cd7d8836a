import type { DirectoryItem, DirectorySink } from './file-system';
import { writeEntry, writeU64 } from './protocol/encode';
import { Dirent, EntryOut } from './protocol/structures';

const roundUp8 = (length: number): number => (length + 7) & ~7;

/** Collects directory entries into the bytes of one READDIR or READDIRPLUS reply, as many as `buffer` has room for. */
export class DirectoryReply implements DirectorySink {
  #used = 0;

  constructor(
    private readonly buffer: Buffer,
    readonly plus: boolean,
  ) {}

  add(item: DirectoryItem): boolean {
    const prefix = this.plus ? EntryOut.size : 0;
    const length = roundUp8(prefix + Dirent.size + item.name.length);
    if (this.#used + length > this.buffer.length) return false;
    this.buffer.fill(0, this.#used, this.#used + length);
    // A plus entry without `entry` keeps node id 0 here, which tells the kernel to look the name up itself.
    if (this.plus && item.entry !== undefined) writeEntry(this.buffer, item.entry, this.#used);
    const at = this.#used + prefix;
    writeU64(this.buffer, item.ino, at + Dirent.ino);
    writeU64(this.buffer, item.nextCookie, at + Dirent.offset);
    this.buffer.writeUInt32LE(item.name.length, at + Dirent.nameLength);
    this.buffer.writeUInt32LE(item.type, at + Dirent.type);
    item.name.copy(this.buffer, at + Dirent.name);
    this.#used += length;
    return true;
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.#used);
  }
}
