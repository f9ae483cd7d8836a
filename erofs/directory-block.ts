import type { Nid } from './brands';
import { ErofsCorruptError } from './errors';
import { NAME_MAX, direntRecord } from './format/dirent';
import { errorSite, type Site } from './format/record';

const { nid: nidField, nameOffset: nameOffsetField, fileType: fileTypeField } = direntRecord.fields;
const SLASH = 0x2f;

/**
 * One block of a directory. Checks what it is asked for and nothing more, so that a lookup costs what its binary
 * search touches. Offsets are from the block's first byte.
 */
export class DirectoryBlock {
  /** Entries in this block, at least 1. */
  readonly count: number;

  /** `block` ends where the block or the directory ends. Throws ErofsCorruptError. */
  constructor(
    private readonly block: Buffer,
    private readonly site: Site,
  ) {
    if (block.length < direntRecord.size)
      throw this.#corrupt('dirent', 0, `${block.length} bytes hold no entry`);
    const namesStart = nameOffsetField.read(block, 0, site);
    if (
      namesStart < direntRecord.size ||
      namesStart >= block.length ||
      namesStart % direntRecord.size !== 0
    ) {
      throw this.#corrupt(nameOffsetField.name, nameOffsetField.offset, `${namesStart} of the first entry`);
    }
    this.count = namesStart / direntRecord.size;
  }

  nid(index: number): Nid {
    return nidField.read(this.block, index * direntRecord.size, this.site);
  }

  fileType(index: number): number {
    return fileTypeField.read(this.block, index * direntRecord.size, this.site);
  }

  /** A view of the name: copy it to keep it. Refuses names that no path could hold. */
  name(index: number): Buffer {
    const start = this.#nameStart(index);
    const name = this.block.subarray(start, this.#nameEnd(index, start));
    if (name.includes(SLASH) || name.includes(0)) {
      throw this.#corrupt('dirent name', start, 'has a slash or a NUL in it');
    }
    return name;
  }

  /** Order of `wanted` against entry `index`, as sort() has it: byte by byte, the shorter first. */
  compare(wanted: Buffer, index: number): number {
    const start = this.#nameStart(index);
    const length = this.#nameEnd(index, start) - start;
    const shared = Math.min(length, wanted.length);
    // Names are short: a loop beats the call into native code.
    for (let at = 0; at < shared; at++) {
      const difference = (wanted[at] ?? 0) - (this.block[start + at] ?? 0);
      if (difference !== 0) return difference;
    }
    return wanted.length - length;
  }

  /** Index of the entry with this name, or undefined. Entries are sorted. */
  find(wanted: Buffer): number | undefined {
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const order = this.compare(wanted, middle);
      if (order === 0) return middle;
      if (order < 0) high = middle - 1;
      else low = middle + 1;
    }
    return undefined;
  }

  #nameStart(index: number): number {
    const start = nameOffsetField.read(this.block, index * direntRecord.size, this.site);
    if (start < this.count * direntRecord.size || start >= this.block.length) {
      const at = index * direntRecord.size + nameOffsetField.offset;
      throw this.#corrupt(nameOffsetField.name, at, `${start} lies outside the names of the block`);
    }
    return start;
  }

  /** The next name's start, or for the last name the first NUL, or else the end of the block. */
  #nameEnd(index: number, start: number): number {
    let end = this.block.length;
    if (index + 1 < this.count) {
      end = nameOffsetField.read(this.block, (index + 1) * direntRecord.size, this.site);
    } else {
      const nul = this.block.indexOf(0, start);
      if (nul >= 0) end = nul;
    }
    const length = end - start;
    if (length < 1 || length > NAME_MAX || end > this.block.length) {
      throw this.#corrupt('dirent name', start, `has ${length} bytes`);
    }
    return end;
  }

  #corrupt(field: string, at: number, problem: string): ErofsCorruptError {
    return new ErofsCorruptError(errorSite(this.site, at, field), problem);
  }
}
