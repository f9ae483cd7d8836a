import { MalformedTarError, type TarPlace } from './errors';
import { BadFieldError, decodeNumber } from './number';

/**
 * Headers of a tar as data (POSIX.1-1988 ustar; tar.h of GNU tar for its own fields). No library is used: tar-stream
 * turns names and PAX values into strings, which loses names that are not UTF-8 and binary values such as
 * capabilities, and knows no sparse files.
 */

/** Headers take one block, and contents are padded to whole ones (bytes). */
export const TAR_BLOCK = 512;

export interface HeaderField<T> {
  readonly name: string;
  /** Bytes from the start of the header. */
  readonly offset: number;
  /** Bytes. */
  readonly width: number;
  /** Throws BadFieldError. */
  decode(bytes: Buffer): T;
}

/** Bytes up to the first NUL, or all. */
export function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function number(name: string, offset: number, width: number): HeaderField<number> {
  return { name, offset, width, decode: decodeNumber };
}

function text(name: string, offset: number, width: number): HeaderField<Buffer> {
  return { name, offset, width, decode: untilNul };
}

function raw(name: string, offset: number, width: number): HeaderField<Buffer> {
  return { name, offset, width, decode: (bytes) => bytes };
}

/** Fields by offset; those further down share their bytes, and `dialectOf` tells which of them count. */
export const HEADER = {
  name: text('name', 0, 100),
  mode: number('mode', 100, 8),
  uid: number('uid', 108, 8),
  gid: number('gid', 116, 8),
  size: number('size', 124, 12),
  /** Seconds since 1970. */
  mtime: number('mtime', 136, 12),
  checksum: number('checksum', 148, 8),
  type: raw('type', 156, 1),
  linkName: text('linkname', 157, 100),
  magic: raw('magic', 257, 8),
  deviceMajor: number('devmajor', 329, 8),
  deviceMinor: number('devminor', 337, 8),
  /** ustar: stands before `name`, with a slash between. */
  prefix: text('prefix', 345, 155),
  /** star keeps two times behind a shorter prefix, and says so at the end of the header. */
  starPrefix: text('prefix', 345, 131),
  starTrailer: raw('star trailer', 508, 4),
  gnuAccessTime: number('atime', 345, 12),
  gnuChangeTime: number('ctime', 357, 12),
  /** Four entries of a sparse map. */
  gnuSparse: raw('sparse map', 386, 4 * 24),
  /** Not 0: a block with more of the map follows. */
  gnuSparseMore: raw('sparse map continues', 482, 1),
  /** Bytes of a sparse file with its holes. */
  gnuRealSize: number('realsize', 483, 12),
} as const;

/** A block that continues the sparse map of an old GNU header. */
export const SPARSE_BLOCK = {
  entries: raw('sparse map', 0, 21 * 24),
  more: raw('sparse map continues', 504, 1),
} as const;

/** Two numbers of 12 bytes each. */
export const SPARSE_ENTRY_BYTES = 24;

/** `type` of a header. */
export const TYPE = {
  FILE: '0',
  /** From before POSIX; a directory where the name ends in a slash. */
  OLD_FILE: '\0',
  LINK: '1',
  SYMLINK: '2',
  CHARACTER_DEVICE: '3',
  BLOCK_DEVICE: '4',
  DIRECTORY: '5',
  FIFO: '6',
  /** A file that should lie in one piece, for systems that know such. */
  CONTIGUOUS_FILE: '7',
  /** PAX records for the next entry. */
  PAX: 'x',
  /** PAX records for all entries from here on. */
  PAX_GLOBAL: 'g',
  GNU_LONG_NAME: 'L',
  GNU_LONG_LINK: 'K',
  GNU_SPARSE: 'S',
  /** A directory of an incremental archive; its content is a list of names. */
  GNU_DUMP_DIRECTORY: 'D',
  /** The label of the archive. */
  GNU_VOLUME: 'V',
} as const;

/** Which fields a header has beyond those of the oldest format. */
export type Dialect = 'old' | 'ustar' | 'star' | 'gnu';

const USTAR_MAGIC = Buffer.from('ustar\0');
const GNU_MAGIC = Buffer.from('ustar  \0');
const STAR_TRAILER = Buffer.from('tar\0');

/** One header. A view of the block: it must not change meanwhile. */
export class Header {
  constructor(
    private readonly block: Buffer,
    /** Where the block is. */
    private readonly place: TarPlace,
  ) {}

  /** Throws MalformedTarError naming field and place. */
  get<T>(field: HeaderField<T>): T {
    try {
      return fieldOf(this.block, field);
    } catch (error) {
      if (!(error instanceof BadFieldError)) throw error;
      const place = { ...this.place, entry: this.place.entry ?? this.name() };
      throw new MalformedTarError(place, `${field.name}: ${error.message}`, { cause: error });
    }
  }

  get type(): string {
    return this.get(HEADER.type).toString('latin1');
  }

  get dialect(): Dialect {
    const magic = this.get(HEADER.magic);
    if (magic.equals(GNU_MAGIC)) return 'gnu';
    if (!magic.subarray(0, USTAR_MAGIC.length).equals(USTAR_MAGIC)) return 'old';
    return this.get(HEADER.starTrailer).equals(STAR_TRAILER) ? 'star' : 'ustar';
  }

  /** The name with its prefix. */
  name(): Buffer {
    const name = fieldOf(this.block, HEADER.name);
    const prefix = this.#prefix();
    return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]);
  }

  #prefix(): Buffer {
    switch (this.dialect) {
      case 'old':
        return NO_PREFIX;
      case 'ustar':
        return fieldOf(this.block, HEADER.prefix);
      case 'star':
        return fieldOf(this.block, HEADER.starPrefix);
      case 'gnu':
        return this.#prefixOfOldGo();
    }
  }

  /**
   * Go before 1.8 wrote a prefix into headers that it called GNU's, over the times that GNU tar has there. Layers of
   * that age are still around. What reads as two times is two times.
   */
  #prefixOfOldGo(): Buffer {
    try {
      fieldOf(this.block, HEADER.gnuAccessTime);
      fieldOf(this.block, HEADER.gnuChangeTime);
      return NO_PREFIX;
    } catch {
      const prefix = fieldOf(this.block, HEADER.prefix);
      return prefix.every((byte) => byte < 0x80) ? prefix : NO_PREFIX;
    }
  }
}

const NO_PREFIX = Buffer.alloc(0);

/** Whether a block is a header, by its checksum: some old programs added up signed bytes. */
export function hasHeaderChecksum(block: Buffer): boolean {
  let claimed: number;
  try {
    claimed = fieldOf(block, HEADER.checksum);
  } catch {
    return false;
  }
  const { offset, width } = HEADER.checksum;
  let unsigned = 0;
  let signed = 0;
  for (let at = 0; at < TAR_BLOCK; at++) {
    const byte = at >= offset && at < offset + width ? 0x20 : (block[at] ?? 0);
    unsigned += byte;
    signed += byte < 0x80 ? byte : byte - 0x100;
  }
  return claimed === unsigned || claimed === signed;
}

export function fieldOf<T>(block: Buffer, field: HeaderField<T>): T {
  return field.decode(block.subarray(field.offset, field.offset + field.width));
}
