import type { NodeAttributes, Timestamp } from '../tree';
import { MalformedTarError, UnsupportedTarError, type TarPlace } from './errors';
import type { Extensions } from './extensions';
import { HEADER, TYPE, type Header } from './header';
import { BadFieldError, decodeDecimal, shown } from './number';
import type { SparseFile } from './sparse';
import { decodePaxTime } from './timestamp';

/** A member of a tar, its content excepted. */
export type TarEntry = EntryHead & EntryForm;

interface EntryHead {
  /** Where its header is, and its name. */
  readonly place: TarPlace;
  readonly name: Buffer;
  readonly attributes: NodeAttributes;
}

export type EntryForm =
  | { readonly kind: 'file'; readonly file: SparseFile }
  | { readonly kind: 'directory' | 'fifo' }
  | { readonly kind: 'hard link'; readonly target: Buffer }
  | { readonly kind: 'symlink'; readonly target: Buffer }
  | { readonly kind: 'character device' | 'block device'; readonly major: number; readonly minor: number };

export type EntryKind = EntryForm['kind'];

/** Turns what a header and its extensions say into values. Throws TarErrors naming the entry. */
export class EntryFields {
  readonly name: Buffer;
  readonly place: TarPlace;

  constructor(
    readonly header: Header,
    readonly extensions: Extensions,
    place: TarPlace,
  ) {
    // A copy: the view may be of a piece of the stream that nobody else needs.
    this.name = Buffer.from(extensions.name ?? header.name());
    this.place = { ...place, entry: this.name };
  }

  /** Bytes of content in the stream, before its padding. */
  get storedSize(): number {
    const value = this.extensions.value('size');
    return value === undefined
      ? this.header.get(HEADER.size)
      : this.decoded('size', () => decodeDecimal(value));
  }

  get attributes(): NodeAttributes {
    return {
      permissions: this.header.get(HEADER.mode) & 0o7777,
      uid: this.#owner('uid'),
      gid: this.#owner('gid'),
      mtime: this.#mtime(),
      xattrs: this.decoded('extended attributes', () => this.extensions.xattrs()),
    };
  }

  /** Target of a link of either kind. */
  get target(): Buffer {
    return Buffer.from(this.extensions.link ?? this.header.get(HEADER.linkName));
  }

  get device(): { readonly major: number; readonly minor: number } {
    return { major: this.header.get(HEADER.deviceMajor), minor: this.header.get(HEADER.deviceMinor) };
  }

  /** @param contentSize see `storedSize`. Throws UnsupportedTarError on types that no layer has. */
  kind(contentSize: number): EntryKind {
    const { type } = this.header;
    switch (type) {
      case TYPE.FILE:
      case TYPE.OLD_FILE:
        // The oldest format has no other sign of a directory.
        return contentSize === 0 && this.name.at(-1) === SLASH ? 'directory' : 'file';
      case TYPE.CONTIGUOUS_FILE:
      case TYPE.GNU_SPARSE:
        return 'file';
      case TYPE.LINK:
        return 'hard link';
      case TYPE.SYMLINK:
        return 'symlink';
      case TYPE.CHARACTER_DEVICE:
        return 'character device';
      case TYPE.BLOCK_DEVICE:
        return 'block device';
      case TYPE.DIRECTORY:
      case TYPE.GNU_DUMP_DIRECTORY:
        return 'directory';
      case TYPE.FIFO:
        return 'fifo';
      default:
        throw new UnsupportedTarError(this.place, `entries of type ${shown(type)} are not known here`);
    }
  }

  /** Runs a step that throws BadFieldError; `what` says about what. */
  decoded<T>(what: string, step: () => T): T {
    try {
      return step();
    } catch (error) {
      rethrowAt(error, this.place, what);
    }
  }

  #owner(key: 'uid' | 'gid'): number {
    const value = this.extensions.value(key);
    const id =
      value === undefined ? this.header.get(HEADER[key]) : this.decoded(key, () => decodeDecimal(value));
    if (id < 0 || id > OWNER_MAX) throw new MalformedTarError(this.place, `a ${key} of ${id}`);
    return id;
  }

  #mtime(): Timestamp {
    const value = this.extensions.value('mtime');
    if (value !== undefined) return this.decoded('mtime', () => decodePaxTime(value));
    return { seconds: this.header.get(HEADER.mtime), nanoseconds: 0 };
  }
}

/** Throws a BadFieldError as a MalformedTarError, and anything else as it is. */
export function rethrowAt(error: unknown, place: TarPlace, what: string): never {
  if (!(error instanceof BadFieldError)) throw error;
  throw new MalformedTarError(place, `${what}: ${error.message}`, { cause: error });
}

const SLASH = 0x2f;
/** Linux counts users and groups in 32 bits. */
const OWNER_MAX = 2 ** 32 - 1;
